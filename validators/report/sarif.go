package report

import (
	"io"
	"path/filepath"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// home is where the project's pages are.
const home = "https://github.com/kfp-preflight/kfp-preflight"

// SARIF writes the report in the format of code scanning, version 2.1.0. What could not be found out without a cluster is left out.
func SARIF(out io.Writer, r Report, version string) error {
	run := sarif.NewRunWithInformationURI("kfp-preflight", home)
	run.Tool.Driver.WithVersion(version)
	run.WithColumnKind("unicodeCodePoints")
	summaries := validators.Summaries()
	for _, id := range validators.RuleIDs() {
		run.AddRule(id).WithShortDescription(sarif.NewMultiformatMessageString().WithText(summaries[id])).WithHelpURI(home + "/blob/main/docs/rules/" + id + ".md")
	}
	for _, o := range r.Objects {
		for _, f := range o.Findings {
			if f.Level() == NotChecked && r.Offline {
				continue
			}
			result := sarif.NewRuleResult(f.Rule).
				WithLevel(map[Level]string{Denied: "error", Warned: "warning", Audited: "note", NotChecked: "note"}[f.Level()]).
				WithMessage(sarif.NewTextMessage(f.Message()))
			result.AddLocation(location(o, f))
			run.AddResult(result)
		}
	}
	whole := sarif.NewReport()
	whole.AddRun(run)
	return whole.PrettyWrite(out)
}

func location(o Object, f Finding) *sarif.Location {
	l := sarif.NewLocation().AddLogicalLocation(sarif.NewLogicalLocation().WithFullyQualifiedName(o.title() + " " + f.Field).WithKind("member"))
	if f.Position != nil {
		l.WithPhysicalLocation(sarif.NewPhysicalLocation().
			WithArtifactLocation(sarif.NewSimpleArtifactLocation(filepath.ToSlash(f.Position.File))).
			WithRegion(sarif.NewRegion().WithStartLine(f.Position.Line).WithStartColumn(f.Position.Column)))
	}
	return l
}
