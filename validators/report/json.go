package report

import (
	"encoding/json"
	"io"
)

// JSON writes the report as JSON: all findings, the errors, the counts and the summary.
func JSON(out io.Writer, r Report) error {
	type finding struct {
		Rule      string   `json:"rule"`
		Level     Level    `json:"level"`
		Certainty string   `json:"certainty"`
		Field     string   `json:"field"`
		Fields    []string `json:"otherFields,omitempty"`
		Line      int      `json:"line,omitempty"`
		Column    int      `json:"column,omitempty"`
		Problem   string   `json:"problem"`
		Outcome   string   `json:"outcome,omitempty"`
		Fix       string   `json:"fix,omitempty"`
		Message   string   `json:"message"`
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
	report := struct {
		Objects []object `json:"objects"`
		Errors  []string `json:"errors"`
		Counts  []Count  `json:"counts"`
		Summary Summary  `json:"summary"`
	}{Objects: []object{}, Errors: []string{}, Counts: r.Counts(), Summary: r.Summary()}
	for _, o := range r.Objects {
		written := object{
			Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Denied: o.has(Denied), Findings: []finding{},
			Skipped: o.Skipped, Unknown: o.UnknownRules,
		}
		if o.Position != nil {
			written.File, written.Line = o.Position.File, o.Position.Line
		}
		for _, f := range o.Findings {
			one := finding{
				Rule: f.Rule, Level: f.Level(), Certainty: f.Certainty.String(), Field: f.Field, Fields: f.OtherFields,
				Problem: f.Problem, Outcome: f.Outcome, Fix: f.Fix, Message: f.Message(),
			}
			if f.Position != nil {
				one.Line, one.Column = f.Position.Line, f.Position.Column
			}
			written.Findings = append(written.Findings, one)
		}
		report.Objects = append(report.Objects, written)
	}
	for _, err := range r.Errors {
		report.Errors = append(report.Errors, err.Error())
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(report)
}
