package explain

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Explanation is a failure that a text shows, or that was asked for by its ID.
type Explanation struct {
	ID      string  `json:"id"`
	Title   string  `json:"title"`
	Found   []Value `json:"found,omitempty"`
	Meaning string  `json:"meaning"`
	Check   []Step  `json:"check"`
	Fix     []Step  `json:"fix"`
	// Rules are the rules of kfp-preflight that find the failure at admission.
	Rules []string `json:"rules,omitempty"`
}

// Value is what a text says of a failure. It is printable, but otherwise as it was found.
type Value struct {
	Name   string   `json:"name"`
	Label  string   `json:"-"`
	Values []string `json:"values"`
}

// Explain returns the failures that a text shows, in the order in which they appear in it.
func (c *Catalogue) Explain(text string) []Explanation {
	p := read(text)
	around := c.around(p)
	var out []Explanation
	for _, m := range c.match(p) {
		out = append(out, m.failure.explain(m.values, around))
	}
	return out
}

// NextSteps says where to look when a text shows no known failure.
func (c *Catalogue) NextSteps(text string) []Step {
	return fill(c.Unknown, c.around(read(text)))
}

// Summary is a failure in a list.
type Summary struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// List returns all failures, and the rules after them.
func (c *Catalogue) List() []Summary {
	var out []Summary
	for f := range c.all {
		out = append(out, Summary{f.ID, f.Title})
	}
	return out
}

// around returns the values that stand around errors.
func (c *Catalogue) around(p pasted) values {
	found := values{}
	for _, pattern := range c.context {
		for _, at := range pattern.FindAllStringSubmatchIndex(p.text, most) {
			found.add(p, pattern, at)
		}
	}
	return found
}

// Find explains the failure or the rule with an ID.
func (c *Catalogue) Find(id string) (Explanation, bool) {
	for f := range c.all {
		if f.ID == id {
			return f.explain(nil, nil), true
		}
	}
	return Explanation{}, false
}

// most limits how many times one pattern is looked for.
const most = 20

// match is a place in a text that shows a failure.
type match struct {
	failure    *Failure
	start, end int
	// cut says that the text is a denial without its end: what comes after it may be part of it.
	cut    bool
	values values
}

// match returns each failure that the text shows once, with all its values.
func (c *Catalogue) match(p pasted) []match {
	var matches []match
	for f := range c.all {
		for _, pattern := range f.patterns {
			for _, at := range pattern.FindAllStringSubmatchIndex(p.text, most) {
				m := match{failure: f, start: at[0], end: at[1], values: values{}}
				m.values.add(p, pattern, at)
				if f.ends != "" {
					m.end, m.cut = endOfDenial(p.text, m.end, f.ends)
				}
				matches = append(matches, m)
			}
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return cmp.Compare(a.start, b.start) })

	var shown []match
	for _, m := range matches {
		if slices.ContainsFunc(matches, m.isPartOf) {
			continue
		}
		if i := slices.IndexFunc(shown, func(s match) bool { return s.failure == m.failure }); i >= 0 {
			shown[i].values.merge(m.values)
			continue
		}
		shown = append(shown, m)
	}
	var causes []match
	for i, m := range shown {
		if !m.failure.isSymptom(shown[:i], shown[i+1:]) {
			causes = append(causes, m)
		}
	}
	return causes
}

// endOfDenial returns where a denial ends that has begun before an offset; if it is cut, how far it could have reached.
func endOfDenial(text string, from int, ends string) (end int, cut bool) {
	const longest = 2000
	rest := text[from:min(len(text), from+longest)]
	if i := strings.Index(rest, ends); i >= 0 {
		return from + i + len(ends), false
	}
	return from + len(rest), true
}

// isPartOf reports whether m is only a part of what other says, which is another failure.
func (m match) isPartOf(other match) bool {
	if m.failure == other.failure || m.failure.ends != "" || m.start < other.start || m.end > other.end {
		return false
	}
	if other.cut {
		return slices.Contains(m.failure.quotedBy, other.failure.ID)
	}
	return m.end-m.start < other.end-other.start
}

// isSymptom reports whether the cause of f is among the failures that were found before and after it in the text. Of
// those that yield to any other, the innermost stays, which is the last one.
func (f *Failure) isSymptom(before, after []match) bool {
	isCause := func(others []match, ofAny bool) bool {
		return slices.ContainsFunc(others, func(other match) bool {
			return slices.Contains(f.SymptomOf, other.failure.ID) ||
				slices.Contains(f.SymptomOf, anyFailure) && (ofAny || !slices.Contains(other.failure.SymptomOf, anyFailure))
		})
	}
	return isCause(before, false) || isCause(after, true)
}

// values are the different values of each kind that were found.
type values map[string][]string

func (v values) add(p pasted, pattern *regexp.Regexp, at []int) {
	for i, name := range pattern.SubexpNames() {
		if name == "" || at[2*i] < 0 {
			continue
		}
		k, _ := kindOf(name)
		start, end := at[2*i], at[2*i+1]
		// If the error goes on behind the value, the value ends there.
		whole := end < at[1] || strings.HasPrefix(p.text[end:], "'")
		// What is cut to this length is too long for a name, and so for a command.
		found := fmt.Sprintf("%.300s", strings.TrimRight(p.value(start, end, whole, k.words), ".,:; "))
		if k.show != nil {
			found = k.show(found)
		}
		if found != "" && !slices.Contains(v[name], found) {
			v[name] = append(v[name], found)
		}
	}
}

func (v values) merge(more values) {
	for name, found := range more {
		for _, value := range found {
			if !slices.Contains(v[name], value) {
				v[name] = append(v[name], value)
			}
		}
	}
}

// explain fills what was found into the commands of a failure: what the error itself says, or else what stands around it.
func (f *Failure) explain(found, around values) Explanation {
	e := Explanation{ID: f.ID, Title: f.Title, Meaning: strings.TrimSpace(f.Meaning), Rules: f.Rules}
	known := maps.Clone(found)
	for _, s := range slices.Concat(f.Check, f.Fix) {
		for _, name := range inCommand.FindAllStringSubmatch(s.Run, -1) {
			if len(known[name[1]]) == 0 && len(around[name[1]]) > 0 {
				known[name[1]] = around[name[1]]
			}
		}
	}
	e.Check, e.Fix = fill(f.Check, known), fill(f.Fix, known)
	for _, k := range kinds {
		if are := known[k.name]; len(are) > 0 {
			e.Found = append(e.Found, Value{k.name, k.label, are})
		}
	}
	return e
}

// fill puts values into commands, where there is no choice and the value could be a name in Kubernetes.
func fill(steps []Step, known values) []Step {
	var out []Step
	for _, s := range steps {
		run := inCommand.ReplaceAllStringFunc(s.Run, func(in string) string {
			k, _ := kindOf(strings.Trim(in, "{}"))
			if are := known[k.name]; len(are) == 1 && k.valid(are[0]) {
				return are[0]
			}
			return k.placeholder()
		})
		out = append(out, Step{s.Say, strings.TrimRight(run, "\n")})
	}
	return out
}
