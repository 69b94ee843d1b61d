package explain

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Explanation explains a failure that was found in a text, or that was looked up by its ID.
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

// Explain returns the failures that a text contains, each once, in the order of the text.
func (c *Catalogue) Explain(text string) []Explanation {
	normalized := normalize(text)
	context := c.contextValues(normalized)
	var out []Explanation
	for _, m := range c.match(normalized) {
		out = append(out, m.failure.explain(m.values, context))
	}
	return out
}

// NextSteps returns what to do with a text that contains no known failure.
func (c *Catalogue) NextSteps(text string) []Step {
	return fillIn(c.Unknown, c.contextValues(normalize(text)))
}

// Summary is a failure in a list.
type Summary struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// List returns all failures, followed by all rules.
func (c *Catalogue) List() []Summary {
	var out []Summary
	for f := range c.all {
		out = append(out, Summary{f.ID, f.Title})
	}
	return out
}

// Find explains the failure or the rule with an ID. The result is false if there is none.
func (c *Catalogue) Find(id string) (Explanation, bool) {
	for f := range c.all {
		if f.ID == id {
			return f.explain(nil, nil), true
		}
	}
	return Explanation{}, false
}

// contextValues returns the values in the text around errors, such as its namespace.
func (c *Catalogue) contextValues(text normalizedText) capturedValues {
	found := capturedValues{}
	for _, pattern := range c.contextPatterns {
		for _, at := range pattern.FindAllStringSubmatchIndex(text.compact, maxMatches) {
			found.capture(text, pattern, at)
		}
	}
	return found
}

// maxMatches bounds the matches of one pattern in a text.
const maxMatches = 20

// match is a part of a text that shows a failure.
type match struct {
	failure    *Failure
	start, end int
	// truncated means that the match is a denial without its end. What follows may belong to it.
	truncated bool
	values    capturedValues
}

// match returns each failure in the text once, with all of its values.
func (c *Catalogue) match(text normalizedText) []match {
	matches := c.allMatches(text)
	var distinct []match
	for _, m := range matches {
		if slices.ContainsFunc(matches, m.isPartOf) {
			continue
		}
		if i := slices.IndexFunc(distinct, func(d match) bool { return d.failure == m.failure }); i >= 0 {
			distinct[i].values.merge(m.values)
			continue
		}
		distinct = append(distinct, m)
	}
	var causes []match
	for i, m := range distinct {
		if !m.failure.isSymptom(distinct[:i], distinct[i+1:]) {
			causes = append(causes, m)
		}
	}
	return causes
}

// allMatches returns the matches of all patterns, in the order of the text.
func (c *Catalogue) allMatches(text normalizedText) []match {
	var matches []match
	for f := range c.all {
		for _, pattern := range f.patterns {
			for _, at := range pattern.FindAllStringSubmatchIndex(text.compact, maxMatches) {
				m := match{failure: f, start: at[0], end: at[1], values: capturedValues{}}
				m.values.capture(text, pattern, at)
				if f.isRule() {
					m.end, m.truncated = f.endOfDenial(text.compact, m.end)
				}
				matches = append(matches, m)
			}
		}
	}
	slices.SortStableFunc(matches, func(a, b match) int { return cmp.Compare(a.start, b.start) })
	return matches
}

// isPartOf reports whether m lies within other, which is a match of another failure.
func (m match) isPartOf(other match) bool {
	if m.failure == other.failure || m.failure.isRule() || m.start < other.start || m.end > other.end {
		return false
	}
	if other.truncated {
		return slices.Contains(m.failure.quotedBy, other.failure.ID)
	}
	return m.end-m.start < other.end-other.start
}

// isSymptom reports whether a cause of f is among the failures before and after it in the text. If
// several failures are symptoms of any other, the last one stays: it is the innermost.
func (f *Failure) isSymptom(before, after []match) bool {
	containCause := func(others []match, orSymptomOfAny bool) bool {
		return slices.ContainsFunc(others, func(other match) bool {
			return slices.Contains(f.SymptomOf, other.failure.ID) || slices.Contains(f.SymptomOf, anyFailure) &&
				(orSymptomOfAny || !slices.Contains(other.failure.SymptomOf, anyFailure))
		})
	}
	return containCause(before, false) || containCause(after, true)
}

// explain fills captured values into the commands of a failure. A value in the error itself takes
// precedence over one from the text around it.
func (f *Failure) explain(captured, context capturedValues) Explanation {
	e := Explanation{ID: f.ID, Title: f.Title, Meaning: strings.TrimSpace(f.Meaning), Rules: f.Rules}
	known := maps.Clone(captured)
	for _, s := range slices.Concat(f.Check, f.Fix) {
		for _, name := range valueInCommand.FindAllStringSubmatch(s.Run, -1) {
			if len(known[name[1]]) == 0 && len(context[name[1]]) > 0 {
				known[name[1]] = context[name[1]]
			}
		}
	}
	e.Check, e.Fix = fillIn(f.Check, known), fillIn(f.Fix, known)
	for _, k := range valueKinds {
		if found := known[k.name]; len(found) > 0 {
			e.Found = append(e.Found, Value{k.name, k.label, found})
		}
	}
	return e
}

// fillIn replaces {name} in commands by the value, or by a placeholder if the value is unknown,
// ambiguous, or not a valid name.
func fillIn(steps []Step, known capturedValues) []Step {
	var out []Step
	for _, s := range steps {
		run := valueInCommand.ReplaceAllStringFunc(s.Run, func(reference string) string {
			k, _ := kindOf(strings.Trim(reference, "{}"))
			if found := known[k.name]; len(found) == 1 && k.validInCommand(found[0]) {
				return found[0]
			}
			return k.placeholder()
		})
		out = append(out, Step{s.Say, strings.TrimRight(run, "\n")})
	}
	return out
}
