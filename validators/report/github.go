package report

import (
	"fmt"
	"io"
	"strings"
)

// githubCommands are the workflow commands for the levels.
var githubCommands = map[Level]string{Denied: "error", Warned: "warning", Audited: "notice", NotChecked: "notice"}

// GitHub writes the report as workflow commands of GitHub Actions, which annotate the lines of a pull request.
// Source: the workflow commands of GitHub Actions, error, warning and notice, and how they escape.
func GitHub(out io.Writer, r Report) error {
	for _, o := range r.Objects {
		for _, f := range o.Findings {
			if f.Level() == NotChecked && r.Offline {
				continue
			}
			position := ""
			if f.Position != nil {
				position = fmt.Sprintf("file=%s,line=%d,col=%d,", property(f.Position.File), f.Position.Line, f.Position.Column)
			}
			title := property(f.Rule + " in " + o.title())
			if _, err := fmt.Fprintf(out, "::%s %stitle=%s::%s\n", githubCommands[f.Level()], position, title, data(f.Message())); err != nil {
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
