package forecast

import (
	"regexp"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// withArtifactArguments returns the input artifacts of a template, replaced with those that the
// caller passes.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/util.go ProcessArgs.
func withArtifactArguments(inputs []wfv1.Artifact, args wfv1.Arguments) []wfv1.Artifact {
	out := slices.Clone(inputs)
	for i, in := range inputs {
		if arg := args.GetArtifactByName(in.Name); arg != nil {
			out[i] = *arg
			out[i].Path, out[i].Mode, out[i].RecurseMode = in.Path, in.Mode, in.RecurseMode
		}
	}
	return out
}

// artifactSource matches the source of an artifact: {{inputs.artifacts.A}} or
// {{tasks.T.outputs.artifacts.A}}.
var artifactSource = regexp.MustCompile(`^\{\{\s*(?:inputs|(?:tasks|steps)\.([\w-]+)\.outputs)\.artifacts\.([\w-]+)\s*\}\}$`)

// resolveArtifactArguments returns the arguments of a call in t, in which artifacts that come from
// t's inputs or from another step have the location written there. If the run chooses the location,
// such as a key in the default repository, the artifact needs no Secrets of its own. callees maps
// the names of the other steps to their templates.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/dag.go and steps.go, resolveReferences.
func resolveArtifactArguments(t scopedTemplate, args wfv1.Arguments, callees map[string]string) wfv1.Arguments {
	out := args
	out.Artifacts = slices.Clone(args.Artifacts)
	for i, a := range args.Artifacts {
		m := artifactSource.FindStringSubmatch(a.From)
		if m == nil {
			continue
		}
		from := t.Inputs.Artifacts
		if step := m[1]; step != "" {
			callee, _ := t.scope.lookup(callees[step])
			if callee.Template == nil {
				continue
			}
			from = callee.Outputs.Artifacts
		}
		for _, source := range from {
			if source.Name == m[2] && (m[1] == "" || source.HasLocation()) {
				out.Artifacts[i].ArtifactLocation = source.ArtifactLocation
			}
		}
	}
	return out
}
