package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/source"
)

// Report is the result of an evaluation.
type Report struct {
	Objects []Object
	// Passed counts evaluated objects that have no findings and are not in Objects.
	Passed int
	// Errors are the files and objects that could not be read.
	Errors []error
	// Offline means that neither a cluster nor its manifests were given. Then what could not be checked is counted, but not listed.
	Offline bool
}

// Object is an evaluated object.
type Object struct {
	Kind, Namespace, Name string
	// Position of the object in a file; nil if it comes from a cluster.
	Position *source.Position
	Findings []Finding
	// Skipped lists the rules that the object's annotation skips, and UnknownRules the names in it that are not rules.
	Skipped, UnknownRules []string
}

// Finding is the finding of a rule and its effect.
type Finding struct {
	validators.Finding
	// Effect is what the finding leads to at admission.
	Effect validators.Mode
	// Position of the field in a file; nil if the object comes from a cluster.
	Position *source.Position
	// OtherPositions are the positions of the other fields.
	OtherPositions []source.Position
}

// Level classifies a finding for the reader of a report.
type Level string

// The levels.
const (
	Denied     Level = "denied"
	Warned     Level = "warning"
	Audited    Level = "audit"
	NotChecked Level = "not checked"
)

// Level returns the level of the finding.
func (f Finding) Level() Level {
	switch {
	case f.Certainty == validators.Unknown:
		return NotChecked
	case f.Effect == validators.Deny:
		return Denied
	case f.Effect == validators.Audit:
		return Audited
	}
	return Warned
}

// has reports whether the object has a finding of a level.
func (o Object) has(level Level) bool {
	for _, f := range o.Findings {
		if f.Level() == level {
			return true
		}
	}
	return false
}

// Summary counts objects. An object with findings of several levels counts once for each level.
type Summary struct {
	Evaluated int `json:"judged"`
	Denied    int `json:"denied"`
	Warned    int `json:"warned"`
	Audited   int `json:"audited"`
	// NotChecked counts objects that could not be read, or not be checked completely.
	NotChecked int `json:"notChecked"`
}

// Summary counts the objects of the report.
func (r Report) Summary() Summary {
	s := Summary{Evaluated: len(r.Objects) + r.Passed, NotChecked: len(r.Errors)}
	counters := map[Level]*int{Denied: &s.Denied, Warned: &s.Warned, Audited: &s.Audited, NotChecked: &s.NotChecked}
	for _, o := range r.Objects {
		for level, counter := range counters {
			if o.has(level) {
				*counter++
			}
		}
	}
	return s
}

// Count is the number of objects in a namespace with findings of a rule. An object without a namespace counts for the namespace with
// its own name, as a Profile does.
type Count struct {
	Namespace  string `json:"namespace"`
	Rule       string `json:"rule"`
	Denied     int    `json:"denied"`
	Warned     int    `json:"warned"`
	Audited    int    `json:"audited"`
	NotChecked int    `json:"notChecked"`
}

// Counts counts objects per namespace and rule, sorted by both.
func (r Report) Counts() []Count {
	counts := map[[2]string]*Count{}
	for _, o := range r.Objects {
		seen := map[string]map[Level]bool{}
		for _, f := range o.Findings {
			if seen[f.Rule] == nil {
				seen[f.Rule] = map[Level]bool{}
			}
			seen[f.Rule][f.Level()] = true
		}
		for rule, levels := range seen {
			key := [2]string{cmp.Or(o.Namespace, o.Name), rule}
			if counts[key] == nil {
				counts[key] = &Count{Namespace: key[0], Rule: rule}
			}
			c := counts[key]
			counters := map[Level]*int{Denied: &c.Denied, Warned: &c.Warned, Audited: &c.Audited, NotChecked: &c.NotChecked}
			for level, counter := range counters {
				if levels[level] {
					*counter++
				}
			}
		}
	}
	out := []Count{}
	for _, c := range counts {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Rule, b.Rule))
	})
	return out
}

// ExitCode returns the exit code of a command that prints the report: 0 if nothing would be denied, 1 if something would, and 2 if the
// evaluation is incomplete, because something could not be read or a given cluster did not answer.
func (r Report) ExitCode() int {
	s := r.Summary()
	switch {
	case len(r.Errors) > 0, s.NotChecked > 0 && !r.Offline:
		return 2
	case s.Denied > 0:
		return 1
	}
	return 0
}
