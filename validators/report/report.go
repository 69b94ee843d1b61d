package report

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/source"
)

// Report is what became of all objects.
type Report struct {
	Objects []Object
	// Passed counts objects beside Objects about which there was nothing to say.
	Passed int
	// Errors are what could not be read.
	Errors []error
	// Offline says that nothing was known of a cluster, so that what could not be found out goes without saying.
	Offline bool
}

// Object is one that was judged.
type Object struct {
	Kind, Namespace, Name string
	// Position is where the object is written; nil if it is in a cluster.
	Position *source.Position
	Findings []Finding
	// Skipped are the rules that its annotations switch off, Unknown the names in them that are no rules.
	Skipped, UnknownRules []string
}

// Finding is what a rule says, and what comes of it.
type Finding struct {
	validators.Finding
	// Effect is what the finding leads to at admission.
	Effect validators.Mode
	// Position is where the field is written; nil if the object is in a cluster.
	Position *source.Position
}

// Level is what a finding is to a reader: Denied, Warned, Audited or Open.
type Level string

// The levels.
const (
	Denied     Level = "denied"
	Warned     Level = "warning"
	Audited    Level = "audit"
	NotChecked Level = "not checked"
)

// Level says what the finding is to a reader.
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

// has reports whether a finding of the object is of a level.
func (o Object) has(level Level) bool {
	for _, f := range o.Findings {
		if f.Level() == level {
			return true
		}
	}
	return false
}

// Summary counts objects. One with findings of several levels counts for each.
type Summary struct {
	Evaluated int `json:"judged"`
	Denied    int `json:"denied"`
	Warned    int `json:"warned"`
	Audited   int `json:"audited"`
	// NotChecked are objects of which something could not be found out, or that can't be read.
	NotChecked int `json:"notChecked"`
}

// Summary counts the objects of the report.
func (r Report) Summary() Summary {
	s := Summary{Evaluated: len(r.Objects) + r.Passed, NotChecked: len(r.Errors)}
	for _, o := range r.Objects {
		for level, count := range map[Level]*int{Denied: &s.Denied, Warned: &s.Warned, Audited: &s.Audited, NotChecked: &s.NotChecked} {
			if o.has(level) {
				*count++
			}
		}
	}
	return s
}

// Count says how many objects of a namespace a rule has findings about. An object that is in no namespace counts for the one that
// bears its name.
type Count struct {
	Namespace  string `json:"namespace"`
	Rule       string `json:"rule"`
	Denied     int    `json:"denied"`
	Warned     int    `json:"warned"`
	Audited    int    `json:"audited"`
	NotChecked int    `json:"notChecked"`
}

// Counts are sorted by namespace and rule.
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
			for level, count := range map[Level]*int{Denied: &c.Denied, Warned: &c.Warned, Audited: &c.Audited, NotChecked: &c.NotChecked} {
				if levels[level] {
					*count++
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

// ExitCode is 0 where nothing would be denied, 1 where something would, and 2 where the judgement is not whole: something could not
// be read, or not be found out about a cluster that was to be asked.
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
