package forecast

import (
	"encoding/json"
	"fmt"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"
)

// strategicMerge returns over laid on top of base, by the strategic merge that Argo uses for everything: lists of named
// things are merged by name, other lists replaced.
func strategicMerge[T any](b *budget, base, over T) (T, error) {
	var out T
	if b.left == 0 {
		return out, errBudgetSpent
	}
	baseJSON, err := json.Marshal(base)
	if err != nil {
		return out, err
	}
	overJSON, err := json.Marshal(over)
	if err != nil {
		return out, err
	}
	if err := b.spend(len(baseJSON) + len(overJSON)); err != nil {
		return out, err
	}
	merged, err := strategicpatch.StrategicMergePatch(baseJSON, overJSON, out)
	if err != nil {
		return out, err
	}
	err = json.Unmarshal(merged, &out)
	return out, err
}

// mergeWorkflow returns wf on top of the controller's workflowDefaults; wf itself where there are none.
// Source: argoproj/argo-workflows v3.7.3 workflow/util/merge.go MergeTo.
func mergeWorkflow(b *budget, wf, defaults *wfv1.Workflow) (*wfv1.Workflow, error) {
	if defaults == nil {
		return wf, nil
	}
	base := *defaults
	base.Spec.Hooks = nil // hooks don't merge
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

// mergeTemplateDefaults returns t on top of the Workflow's templateDefaults; t itself where there are none. A template
// keeps its type, with Argo's own exception: defaults for a container turn a containerSet, HTTP or plugin template,
// which SetType does not know, into a container.
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

// applyPodSpecPatch returns the pod after a podSpecPatch in YAML or JSON.
// Source: argoproj/argo-workflows v3.7.3 workflow/util/util.go ApplyPodSpecPatch.
func applyPodSpecPatch(b *budget, spec corev1.PodSpec, patch string) (corev1.PodSpec, error) {
	if err := b.spend(4 * len(patch)); err != nil { // YAML is slow to read
		return spec, err
	}
	patchJSON, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		return spec, fmt.Errorf("the podSpecPatch is no YAML: %w", err)
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
		return spec, fmt.Errorf("the podSpecPatch does not lead to a pod: %w", err)
	}
	return out, nil
}
