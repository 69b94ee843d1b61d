package report

import (
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
	"github.com/kfp-preflight/kfp-preflight/validators/objects"
	"github.com/kfp-preflight/kfp-preflight/validators/source"
)

// Evaluator judges objects as the webhook would.
type Evaluator struct {
	// Facts returns the facts for one judgement.
	Facts func() validators.Facts
	// Policy says what findings lead to.
	Policy validators.Policy
	// Options of the judgement.
	Options validators.Options
	// Namespace of objects that name none.
	Namespace string
	// ModeOf is the mode of a namespace, by its label and by who is exempt; empty where it has none. It may be nil.
	ModeOf func(namespace string) validators.Mode
}

// Evaluate judges one object.
func (j Evaluator) Evaluate(o *objects.Object) Object {
	return j.object(o, j.Facts())
}

func (j Evaluator) object(o *objects.Object, facts validators.Facts) Object {
	out := Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	out.Skipped, out.UnknownRules = o.Skipped()
	policy := j.Policy.Under(o.Mode(j.ModeOf))
	on := func(rule string) bool { return policy.On(rule) && !slices.Contains(out.Skipped, rule) }
	for _, f := range o.Evaluate(facts, j.Options, on) {
		if effect := policy.Effect(f); effect != validators.Off {
			out.Findings = append(out.Findings, Finding{Finding: f, Effect: effect})
		}
	}
	return out
}

// EvaluateDocuments judges the objects of files. All other objects in them count as there.
func (j Evaluator) EvaluateDocuments(documents []source.Document) Report {
	var r Report
	given := &validators.State{}
	judged := make([]*objects.Object, len(documents))
	for i, d := range documents {
		var err error
		if kfp.IsPipeline(d.JSON) {
			judged[i], err = objects.DecodePipeline(d.JSON, platformsOf(documents, i).JSON, j.Namespace)
		} else if judged[i], err = objects.Decode(d.JSON, j.Namespace); err == nil {
			err = given.Add(d.JSON, j.Namespace)
		}
		if err != nil {
			judged[i] = nil
			at := d.PositionOf("")
			r.Errors = append(r.Errors, &source.Error{File: at.File, Line: at.Line, Err: err})
		}
	}
	results := make([]*Object, len(documents))
	var group errgroup.Group
	group.SetLimit(4 * runtime.GOMAXPROCS(0)) // a cluster may be slow to answer
	for i, o := range judged {
		if o == nil {
			continue
		}
		group.Go(func() error {
			result := j.object(o, validators.Overlay{Over: given, Under: j.Facts()})
			result.place(documents[i], platformsOf(documents, i))
			results[i] = &result
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	for _, result := range results {
		if result != nil {
			r.Objects = append(r.Objects, *result)
		}
	}
	return r
}

// platformsOf is the document with what a pipeline wants of Kubernetes, if there is one: the next in the same file.
func platformsOf(documents []source.Document, i int) source.Document {
	if i+1 < len(documents) && documents[i+1].File == documents[i].File && kfp.IsPlatforms(documents[i+1].JSON) {
		return documents[i+1]
	}
	return source.Document{}
}

// place finds where the object and its findings are written.
func (o *Object) place(d, platforms source.Document) {
	at := d.PositionOf("")
	o.Position = &at
	for i := range o.Findings {
		from := d
		if strings.HasPrefix(o.Findings[i].Field, "platforms") {
			from = platforms
		}
		at := from.PositionOf(o.Findings[i].Field)
		o.Findings[i].Position = &at
	}
}
