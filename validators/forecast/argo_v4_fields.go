package forecast

import (
	"bytes"
	"encoding/json"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// What only Argo v4 knows has no place in the types of v3.7.3, which drop it. Decode leaves a mark instead, in a field that
// goes where the dropped one would have gone and means nothing to a forecast: an artifact in a plugin becomes a raw
// artifact with the mark as its data, podResources and executorPlugins become annotations of the pods.
//
// A controller that is older than the field ignores it as well. Which one the cluster has is not known, so that a mark
// makes unknown what the field would change, and nothing else.
// Source: argoproj/argo-workflows f016ad89 (v4.1) pkg/apis/workflow/v1alpha1/workflow_types.go. Its other new fields,
// pendingTimeout, resourceClaims, saveStreamViaFile and addressingStyle, change nothing that a forecast says.
const (
	pluginMark          = "kfp-preflight.dev/artifact-plugin"
	podResourcesMark    = "kfp-preflight.dev/pod-resources"
	executorPluginsMark = "kfp-preflight.dev/executor-plugins"
)

// Decode reads a Workflow, a WorkflowTemplate or a ClusterWorkflowTemplate from JSON, with marks for what only newer
// versions of Argo know. Names are case-sensitive, as they are for the API server.
func Decode[T wfv1.Workflow | wfv1.WorkflowTemplate | wfv1.ClusterWorkflowTemplate](raw []byte) (*T, error) {
	object := new(T)
	if !mayHaveArgoV4Field(raw) {
		return object, kjson.Unmarshal(raw, object)
	}
	var tree map[string]any
	if err := kjson.Unmarshal(raw, &tree); err != nil {
		return object, err
	}
	if spec, ok := tree["spec"].(map[string]any); ok {
		markSpec(spec)
	}
	marked, err := json.Marshal(tree)
	if err != nil {
		return object, err
	}
	return object, kjson.Unmarshal(marked, object)
}

// DecodeYAML is Decode for YAML.
func DecodeYAML[T wfv1.Workflow | wfv1.WorkflowTemplate | wfv1.ClusterWorkflowTemplate](text []byte) (*T, error) {
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		return nil, err
	}
	return Decode[T](raw)
}

// argoV4Fields are those that Argo's types don't have, or not everywhere.
var argoV4Fields = []string{"plugin", "podResources", "executorPlugins"}

// mayHaveArgoV4Field spares what has none of the fields the second decoding.
func mayHaveArgoV4Field(raw []byte) bool {
	return slices.ContainsFunc(argoV4Fields, func(name string) bool { return bytes.Contains(raw, []byte(`"`+name+`"`)) })
}

// IsArgoV4Field reports whether a field of this name may be one that Argo's types don't have and Decode heeds.
func IsArgoV4Field(name []byte) bool {
	return slices.ContainsFunc(argoV4Fields, func(field string) bool { return field == string(name) })
}

func markSpec(spec map[string]any) {
	for field, mark := range map[string]string{"podResources": podResourcesMark, "executorPlugins": executorPluginsMark} {
		if spec[field] != nil {
			annotate(spec, "podMetadata", mark)
		}
	}
	markWithin(spec)
}

// markWithin marks templates and artifacts, wherever they are.
func markWithin(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			markWithin(item)
		}
	case map[string]any:
		if artifacts, ok := v["artifacts"].([]any); ok {
			for _, a := range artifacts {
				markPlugin(a)
			}
		}
		markPlugin(v["archiveLocation"])
		markPlugin(v["artifactPaths"])
		for name, child := range v {
			if template, ok := child.(map[string]any); ok && (name == "inline" || name == "templateDefaults") {
				markTemplate(template)
			}
			if templates, ok := child.([]any); ok && name == "templates" {
				for _, t := range templates {
					if template, ok := t.(map[string]any); ok {
						markTemplate(template)
					}
				}
			}
			markWithin(child)
		}
	}
}

func markTemplate(template map[string]any) {
	if template["podResources"] != nil {
		annotate(template, "metadata", podResourcesMark)
	}
}

// markPlugin marks an artifact, or the location of one, if it is in a plugin.
func markPlugin(location any) {
	if l, ok := location.(map[string]any); ok && l["plugin"] != nil {
		l["raw"] = map[string]any{"data": pluginMark}
	}
}

func annotate(holder map[string]any, metadata, mark string) {
	m, ok := holder[metadata].(map[string]any)
	if !ok {
		m = map[string]any{}
		holder[metadata] = m
	}
	annotations, ok := m["annotations"].(map[string]any)
	if !ok {
		annotations = map[string]any{}
		m["annotations"] = annotations
	}
	annotations[mark] = "true"
}

// ArtifactRepository is Argo's type, and whether the repository is in a plugin.
type ArtifactRepository struct {
	wfv1.ArtifactRepository `json:",inline"`
	Plugin                  any `json:"plugin,omitempty"`
}

// ToArtifactLocation is the location of what is put into the repository; nil if it is none.
func (r *ArtifactRepository) ToArtifactLocation() *wfv1.ArtifactLocation {
	if r.Plugin != nil {
		return &wfv1.ArtifactLocation{Raw: &wfv1.RawArtifact{Data: pluginMark}}
	}
	return r.ArtifactRepository.ToArtifactLocation()
}

// podsMarked reports whether the Workflow has a mark on all its pods.
func (w *walker) podsMarked(mark string) bool {
	m := w.wf.Spec.PodMetadata
	return m != nil && m.Annotations[mark] != ""
}

// noteArgoV4Fields says of a pod what its template's marks mean.
func (w *walker) noteArgoV4Fields(pod *Pod, t *wfv1.Template) {
	pod.notePlugins(locations(t))
	if w.podsMarked(podResourcesMark) || t.Metadata.Annotations[podResourcesMark] != "" {
		pod.RuntimeResources = append(pod.RuntimeResources, RuntimeResource{
			Resource: "podResources", Reason: "Argo heeds it from v4.1 on, and then what the containers set is not all that counts",
		})
	}
}

// notePlugins says of a pod what the marks on artifacts that it handles mean.
func (p *Pod) notePlugins(locations []*wfv1.ArtifactLocation) {
	for _, l := range locations {
		if l != nil && l.Raw != nil && l.Raw.Data == pluginMark {
			p.Unknown = "it has an artifact in a plugin of Argo v4"
		}
	}
}
