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

// Evaluator evaluates objects as the webhook would.
type Evaluator struct {
	// Facts returns the facts for the evaluation of one object. Several objects are evaluated at the same time.
	Facts func() validators.Facts
	// Policy decides what a finding leads to.
	Policy validators.Policy
	// Options of the evaluation.
	Options validators.Options
	// Namespace of the objects that don't set one.
	Namespace string
	// ModeOf returns the mode of a namespace: "" if the namespace sets none, Off if it is exempt. It may be nil.
	ModeOf func(namespace string) validators.Mode
	// Confirm asks the API server to confirm findings that predict the refusal of a pod, and returns those that remain. It may be nil.
	Confirm func(namespace string, findings []validators.Finding) []validators.Finding
}

// Evaluate evaluates one object.
func (e Evaluator) Evaluate(o *objects.Object) Object {
	return e.evaluate(o, e.Facts())
}

func (e Evaluator) evaluate(o *objects.Object, facts validators.Facts) Object {
	out := Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	out.Skipped, out.UnknownRules = o.Skipped()
	policy := e.Policy.Under(o.Mode(e.ModeOf))
	enabled := func(rule string) bool { return policy.On(rule) && !slices.Contains(out.Skipped, rule) }
	findings := o.Evaluate(facts, e.Options, enabled)
	if e.Confirm != nil {
		findings = e.Confirm(o.Namespace, findings)
	}
	for _, f := range findings {
		if effect := policy.Effect(f); effect != validators.Off {
			out.Findings = append(out.Findings, Finding{Finding: f, Effect: effect})
		}
	}
	return out
}

// EvaluateDocuments evaluates the objects in documents. The other objects in them, such as Secrets, count as existing.
func (e Evaluator) EvaluateDocuments(documents []source.Document) Report {
	var r Report
	decoded, given, errs := e.decode(documents)
	r.Errors = errs
	results := make([]*Object, len(documents))
	var group errgroup.Group
	group.SetLimit(4 * runtime.GOMAXPROCS(0)) // a cluster may respond slowly
	for i, o := range decoded {
		if o == nil {
			continue
		}
		group.Go(func() error {
			result := e.evaluate(o, validators.Overlay{Over: given, Under: e.Facts()})
			result.locate(documents[i], platformSpec(documents, i))
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

// decode decodes the objects to evaluate, with nil for other documents, and collects all objects that the documents contain.
func (e Evaluator) decode(documents []source.Document) (decoded []*objects.Object, given *validators.State, errs []error) {
	given = &validators.State{}
	decoded = make([]*objects.Object, len(documents))
	for i, d := range documents {
		var o *objects.Object
		var err error
		if kfp.IsPipelineSpec(d.JSON) {
			o, err = objects.DecodePipeline(d.JSON, platformSpec(documents, i).JSON, e.Namespace)
		} else if o, err = objects.Decode(d.JSON, e.Namespace); err == nil {
			err = given.Add(d.JSON, e.Namespace)
		}
		if err != nil {
			position := d.PositionOf("")
			errs = append(errs, &source.Error{File: position.File, Line: position.Line, Err: err})
			continue
		}
		decoded[i] = o
	}
	return decoded, given, errs
}

// platformSpec returns the platform spec of the pipeline in document i, which is the next document of the same file. The result is
// empty if there is none.
func platformSpec(documents []source.Document, i int) source.Document {
	if i+1 < len(documents) && documents[i+1].File == documents[i].File && kfp.IsPlatformSpec(documents[i+1].JSON) {
		return documents[i+1]
	}
	return source.Document{}
}

// locate sets the positions of the object and its findings.
func (o *Object) locate(d, platforms source.Document) {
	position := d.PositionOf("")
	o.Position = &position
	for i := range o.Findings {
		f := &o.Findings[i]
		in := d
		if strings.HasPrefix(f.Field, "platforms") {
			in = platforms
		}
		position := in.PositionOf(f.Field)
		f.Position = &position
		for _, field := range f.OtherFields {
			if other := in.PositionOf(field); other.Line != position.Line {
				f.OtherPositions = append(f.OtherPositions, other)
			}
		}
	}
}
