package report

import (
	"io"
	"path/filepath"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// home is the address of the project.
const home = "https://github.com/kfp-preflight/kfp-preflight"

// sarifLevels are the levels of SARIF.
var sarifLevels = map[Level]string{Denied: "error", Warned: "warning", Audited: "note", NotChecked: "note"}

// SARIF writes the report as SARIF 2.1.0, the format of code scanning. If the report is offline, it leaves out what could not be
// checked.
func SARIF(out io.Writer, r Report, version string) error {
	run := sarif.NewRunWithInformationURI("kfp-preflight", home)
	run.Tool.Driver.WithVersion(version)
	run.WithColumnKind("unicodeCodePoints")
	summaries := validators.Summaries()
	for _, id := range validators.RuleIDs() {
		run.AddRule(id).
			WithShortDescription(sarif.NewMultiformatMessageString().WithText(summaries[id])).
			WithHelpURI(home + "/blob/main/docs/rules/" + id + ".md")
	}
	for _, o := range r.Objects {
		for _, f := range o.Findings {
			if f.Level() == NotChecked && r.Offline {
				continue
			}
			result := sarif.NewRuleResult(f.Rule).
				WithLevel(sarifLevels[f.Level()]).
				WithMessage(sarif.NewTextMessage(f.Message()))
			result.AddLocation(location(o, f))
			run.AddResult(result)
		}
	}
	report := sarif.NewReport()
	report.AddRun(run)
	return report.PrettyWrite(out)
}

func location(o Object, f Finding) *sarif.Location {
	member := sarif.NewLogicalLocation().WithFullyQualifiedName(o.title() + " " + f.Field).WithKind("member")
	l := sarif.NewLocation().AddLogicalLocation(member)
	if f.Position != nil {
		l.WithPhysicalLocation(sarif.NewPhysicalLocation().
			WithArtifactLocation(sarif.NewSimpleArtifactLocation(filepath.ToSlash(f.Position.File))).
			WithRegion(sarif.NewRegion().WithStartLine(f.Position.Line).WithStartColumn(f.Position.Column)))
	}
	return l
}
