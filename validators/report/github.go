package report

import (
	"fmt"
	"io"
	"strings"
)

// GitHub writes the report as workflow commands of GitHub Actions, which show findings beside the lines of a pull request.
// Source: the workflow commands of GitHub Actions, error, warning and notice, and how they escape.
func GitHub(out io.Writer, r Report) error {
	for _, o := range r.Objects {
		for _, f := range o.Findings {
			command := map[Level]string{Denied: "error", Warned: "warning", Audited: "notice", NotChecked: "notice"}[f.Level()]
			if f.Level() == NotChecked && r.Offline {
				continue
			}
			place := ""
			if f.Position != nil {
				place = fmt.Sprintf("file=%s,line=%d,col=%d,", property(f.Position.File), f.Position.Line, f.Position.Column)
			}
			if _, err := fmt.Fprintf(out, "::%s %stitle=%s::%s\n", command, place, property(f.Rule+" in "+o.title()), data(f.Message())); err != nil {
				return err
			}
		}
	}
	return nil
}

var (
	escapeData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func data(text string) string     { return escapeData.Replace(text) }
func property(text string) string { return escapeProperty.Replace(text) }
