package forecast

import (
	"encoding/json"
	"fmt"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"
)

// strategicMerge applies overlay to base with Kubernetes' strategic merge, as Argo does everywhere:
// lists of named elements are merged by name, other lists are replaced.
func strategicMerge[T any](b *budget, base, overlay T) (T, error) {
	var out T
	if b.left == 0 {
		return out, errBudgetSpent
	}
	baseJSON, err := json.Marshal(base)
	if err != nil {
		return out, err
	}
	overlayJSON, err := json.Marshal(overlay)
	if err != nil {
		return out, err
	}
	if err := b.spend(len(baseJSON) + len(overlayJSON)); err != nil {
		return out, err
	}
	merged, err := strategicpatch.StrategicMergePatch(baseJSON, overlayJSON, out)
	if err != nil {
		return out, err
	}
	err = json.Unmarshal(merged, &out)
	return out, err
}

// mergeWorkflow applies wf to defaults. It returns wf itself if defaults is nil.
// Source: argoproj/argo-workflows v3.7.3 workflow/util/merge.go MergeTo.
func mergeWorkflow(b *budget, wf, defaults *wfv1.Workflow) (*wfv1.Workflow, error) {
	if defaults == nil {
		return wf, nil
	}
	base := *defaults
	base.Spec.Hooks = nil // a hook replaces the default of the same name, see below
	merged, err := strategicMerge(b, base, *wf)
	if err != nil {
		return nil, err
	}
	for name, hook := range defaults.Spec.Hooks {
		if _, ok := merged.Spec.Hooks[name]; !ok {
			if merged.Spec.Hooks == nil {
				merged.Spec.Hooks = wfv1.LifecycleHooks{}
			}
			merged.Spec.Hooks[name] = hook
		}
	}
	return &merged, nil
}

// mergeTemplateDefaults applies t to the Workflow's templateDefaults. It returns t itself if
// defaults is nil. A template keeps its type, with Argo's own exception: defaults for a container
// turn a containerSet, HTTP, or plugin template into a container, because SetType does not know
// those types.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go mergedTemplateDefaultsInto.
func mergeTemplateDefaults(b *budget, t, defaults *wfv1.Template) (*wfv1.Template, error) {
	if defaults == nil {
		return t, nil
	}
	merged, err := strategicMerge(b, *defaults, *t)
	if err != nil {
		return nil, err
	}
	merged.SetType(t.GetType())
	return &merged, nil
}

// applyPodSpecPatch applies a podSpecPatch in YAML or JSON to a spec. On an error, it returns the
// spec unchanged.
// Source: argoproj/argo-workflows v3.7.3 workflow/util/util.go ApplyPodSpecPatch.
func applyPodSpecPatch(b *budget, spec corev1.PodSpec, patch string) (corev1.PodSpec, error) {
	if err := b.spend(4 * len(patch)); err != nil { // YAML is slow to parse
		return spec, err
	}
	patchJSON, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		return spec, fmt.Errorf("the podSpecPatch is not valid YAML: %w", err)
	}
	specJSON, err := json.Marshal(spec)
	if err != nil {
		return spec, err
	}
	if err := b.spend(len(specJSON)); err != nil {
		return spec, err
	}
	merged, err := strategicpatch.StrategicMergePatch(specJSON, patchJSON, spec)
	if err != nil {
		return spec, fmt.Errorf("the podSpecPatch can't be applied: %w", err)
	}
	var out corev1.PodSpec
	if err := json.Unmarshal(merged, &out); err != nil {
		return spec, fmt.Errorf("the podSpecPatch results in an invalid pod spec: %w", err)
	}
	return out, nil
}
