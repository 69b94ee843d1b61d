package validators

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
)

// newState returns a cluster made of manifests, in namespace team-a unless they have another.
func newState(t *testing.T, complete bool, manifests ...string) *State {
	t.Helper()
	s := &State{Complete: complete}
	for _, m := range manifests {
		if err := s.Add([]byte(m), "team-a"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TestOverlay has objects in the manifests, in the cluster, and in both. The manifests take precedence.
func TestOverlay(t *testing.T) {
	over := newState(t, false,
		"{kind: Secret, metadata: {name: both}, data: {new: ''}}", "{kind: Secret, metadata: {name: over}}",
		"{kind: WorkflowTemplate, metadata: {name: both}, spec: {entrypoint: new}}",
		"{kind: ResourceQuota, metadata: {name: both}, spec: {hard: {cpu: 2}}}", "{kind: LimitRange, metadata: {name: over}}",
		"{kind: PriorityClass, metadata: {name: over}}",
		"{kind: ConfigMap, metadata: {name: workflow-controller-configmap, namespace: argo}, data: {instanceID: new}}")
	under := newState(t, true,
		"{kind: Secret, metadata: {name: both}, data: {old: ''}}", "{kind: Secret, metadata: {name: under}}",
		"{kind: WorkflowTemplate, metadata: {name: both}, spec: {entrypoint: old}}",
		"{kind: WorkflowTemplate, metadata: {name: under}, spec: {entrypoint: old}}",
		"{kind: ResourceQuota, metadata: {name: both}, spec: {hard: {cpu: 1}}}", "{kind: ResourceQuota, metadata: {name: under}}",
		"{kind: LimitRange, metadata: {name: under}}", "{kind: PriorityClass, metadata: {name: under}}",
		"{kind: ConfigMap, metadata: {name: workflow-controller-configmap, namespace: kubeflow}}")
	o := Overlay{Over: over, Under: under}

	secret := func(name string) ObjectRef { return ObjectRef{Secret, name} }
	found := o.CheckObjects("team-a", []ObjectQuery{
		{ObjectRef: secret("both")}, {ObjectRef: secret("over")}, {ObjectRef: secret("under")}, {ObjectRef: secret("neither")},
	})
	if !found[secret("both")].Keys.Equal(sets.New("new")) || !found[secret("over")].Exists || !found[secret("under")].Exists ||
		found[secret("neither")].Exists || found[secret("neither")].Err != nil {
		t.Errorf("the Secrets are %+v", found)
	}
	if template, err := o.WorkflowTemplate("team-a", "both"); err != nil || template.Spec.Entrypoint != "new" {
		t.Errorf("the WorkflowTemplate is %+v, %v", template, err)
	}
	if template, err := o.WorkflowTemplate("team-a", "under"); err != nil || template.Spec.Entrypoint != "old" {
		t.Errorf("the WorkflowTemplate is %+v, %v", template, err)
	}
	quotas, err := o.ResourceQuotas("team-a")
	if err != nil || len(quotas) != 2 || quotas[0].Spec.Hard.Cpu().Value() != 2 {
		t.Errorf("the quotas are %+v, %v", quotas, err)
	}
	limitRanges, err := o.LimitRanges("team-a")
	if err != nil || len(limitRanges) != 2 {
		t.Errorf("the LimitRanges are %+v, %v", limitRanges, err)
	}
	classes, err := o.PriorityClasses()
	if err != nil || len(classes) != 2 {
		t.Errorf("the PriorityClasses are %+v, %v", classes, err)
	}
	if controller, err := o.ControllerConfig(""); err != nil || controller.Namespace != "argo" {
		t.Errorf("the controller is %+v, %v", controller, err)
	}

	// In an unknown cluster, whatever the manifests don't have is unknown.
	unknown := Overlay{Over: over, Under: &State{}}
	if _, err := unknown.ResourceQuotas("team-a"); err == nil {
		t.Error("the quotas of an unknown cluster are known")
	}
	if found := unknown.CheckObjects("team-a", []ObjectQuery{{ObjectRef: secret("under")}}); found[secret("under")].Err == nil {
		t.Errorf("the Secret of an unknown cluster is known: %+v", found)
	}
}
