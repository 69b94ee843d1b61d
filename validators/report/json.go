package report

import (
	"encoding/json"
	"io"
)

// JSON writes the report for programs: all findings, the errors and the summary.
func JSON(out io.Writer, r Report) error {
	type finding struct {
		Rule      string `json:"rule"`
		Level     Level  `json:"level"`
		Certainty string `json:"certainty"`
		Field     string `json:"field"`
		Line      int    `json:"line,omitempty"`
		Column    int    `json:"column,omitempty"`
		Problem   string `json:"problem"`
		Outcome   string `json:"outcome,omitempty"`
		Fix       string `json:"fix,omitempty"`
		Message   string `json:"message"`
	}
	type object struct {
		Kind      string    `json:"kind"`
		Namespace string    `json:"namespace,omitempty"`
		Name      string    `json:"name"`
		File      string    `json:"file,omitempty"`
		Line      int       `json:"line,omitempty"`
		Denied    bool      `json:"denied"`
		Findings  []finding `json:"findings"`
		Skipped   []string  `json:"skipped,omitempty"`
		Unknown   []string  `json:"unknownRules,omitempty"`
	}
	whole := struct {
		Objects []object `json:"objects"`
		Errors  []string `json:"errors"`
		Counts  []Count  `json:"counts"`
		Summary Summary  `json:"summary"`
	}{Objects: []object{}, Errors: []string{}, Counts: r.Counts(), Summary: r.Summary()}
	for _, o := range r.Objects {
		told := object{
			Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Denied: o.has(Denied), Findings: []finding{},
			Skipped: o.Skipped, Unknown: o.UnknownRules,
		}
		if o.Position != nil {
			told.File, told.Line = o.Position.File, o.Position.Line
		}
		for _, f := range o.Findings {
			one := finding{
				Rule: f.Rule, Level: f.Level(), Certainty: f.Certainty.String(), Field: f.Field,
				Problem: f.Problem, Outcome: f.Outcome, Fix: f.Fix, Message: f.Message(),
			}
			if f.Position != nil {
				one.Line, one.Column = f.Position.Line, f.Position.Column
			}
			told.Findings = append(told.Findings, one)
		}
		whole.Objects = append(whole.Objects, told)
	}
	for _, err := range r.Errors {
		whole.Errors = append(whole.Errors, err.Error())
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(whole)
}
