package forecast

import (
	"bytes"
	"encoding/json"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// The Go types of Argo v3.7.3 drop fields that only Argo v4 knows. In their place, Decode leaves
// marks in fields that a forecast does not otherwise read: an artifact in a plugin becomes a raw
// artifact with the mark as its data, and podResources and executorPlugins become annotations of
// the pods.
//
// A controller that is older than a field ignores it. Since the controller's version is not known,
// a mark makes unknown what the field would change, and nothing else.
// Source: argoproj/argo-workflows f016ad89 (v4.1) pkg/apis/workflow/v1alpha1/workflow_types.go. Its other new fields,
// pendingTimeout, resourceClaims, saveStreamViaFile, and addressingStyle, do not change a forecast.
const (
	pluginMark          = "kfp-preflight.dev/artifact-plugin"
	podResourcesMark    = "kfp-preflight.dev/pod-resources"
	executorPluginsMark = "kfp-preflight.dev/executor-plugins"
)

// Decode decodes a Workflow, WorkflowTemplate, or ClusterWorkflowTemplate from JSON. It marks
// fields that only newer versions of Argo know. Field names are case-sensitive, as in the API
// server.
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

// argoV4Fields are the fields of Argo v4 that the Go types lack, at least in some places.
var argoV4Fields = []string{"plugin", "podResources", "executorPlugins"}

// mayHaveArgoV4Field reports whether an object may have one of argoV4Fields. All others need no
// second decoding.
func mayHaveArgoV4Field(raw []byte) bool {
	return slices.ContainsFunc(argoV4Fields, func(name string) bool { return bytes.Contains(raw, []byte(`"`+name+`"`)) })
}

// IsArgoV4Field reports whether Decode looks for a field of this name, because Argo's Go types lack
// it.
func IsArgoV4Field(name []byte) bool {
	return slices.ContainsFunc(argoV4Fields, func(field string) bool { return field == string(name) })
}

// markSpec marks the fields of a Workflow's spec and of everything in it.
func markSpec(spec map[string]any) {
	for field, mark := range map[string]string{"podResources": podResourcesMark, "executorPlugins": executorPluginsMark} {
		if spec[field] != nil {
			annotate(spec, "podMetadata", mark)
		}
	}
	markWithin(spec)
}

// markWithin marks the templates and artifacts in a part of an object, at any depth.
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

// markPlugin marks an artifact or an artifact location that names a plugin.
func markPlugin(location any) {
	if l, ok := location.(map[string]any); ok && l["plugin"] != nil {
		l["raw"] = map[string]any{"data": pluginMark}
	}
}

// annotate adds a mark to the annotations in a metadata field.
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

// ArtifactRepository is Argo's type, extended with the plugin field of Argo v4.
type ArtifactRepository struct {
	wfv1.ArtifactRepository `json:",inline"`
	Plugin                  any `json:"plugin,omitempty"`
}

// ToArtifactLocation returns the location of artifacts in the repository, or nil if the repository
// is empty.
func (r *ArtifactRepository) ToArtifactLocation() *wfv1.ArtifactLocation {
	if r.Plugin != nil {
		return &wfv1.ArtifactLocation{Raw: &wfv1.RawArtifact{Data: pluginMark}}
	}
	return r.ArtifactRepository.ToArtifactLocation()
}

// podsMarked reports whether the Workflow has a mark that applies to all of its pods.
func (w *walker) podsMarked(mark string) bool {
	m := w.wf.Spec.PodMetadata
	return m != nil && m.Annotations[mark] != ""
}

// noteArgoV4Fields records in a pod what the marks of its template make unknown.
func (w *walker) noteArgoV4Fields(pod *Pod, t *wfv1.Template) {
	pod.notePlugins(locations(t))
	if w.podsMarked(podResourcesMark) || t.Metadata.Annotations[podResourcesMark] != "" {
		pod.RuntimeResources = append(pod.RuntimeResources, RuntimeResource{
			Resource: "podResources", Reason: "Argo applies it from v4.1 on, in addition to the containers' resources",
		})
	}
}

// notePlugins sets p.Unknown if one of the pod's artifacts is in a plugin.
func (p *Pod) notePlugins(locations []*wfv1.ArtifactLocation) {
	for _, l := range locations {
		if l != nil && l.Raw != nil && l.Raw.Data == pluginMark {
			p.Unknown = "it has an artifact in a plugin of Argo v4"
		}
	}
}
