package validators

import (
	"maps"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Overlay is a cluster as it will be once manifests are applied. The manifests take precedence over the cluster.
type Overlay struct {
	// Over has the manifests; it is not Complete.
	Over *State
	// Under is the cluster.
	Under Facts
}

var _ Facts = Overlay{}

// firstFound returns an object from the manifests, or else from the cluster.
func firstFound[T any](over, under func() (*T, error)) (*T, error) {
	if object, err := over(); err == nil {
		return object, nil
	}
	return under()
}

// mergeByName returns the objects of the manifests, and those of the cluster with other names.
func mergeByName[T any](over []T, under []T, name func(*T) string) []T {
	seen := map[string]bool{}
	for i := range over {
		seen[name(&over[i])] = true
	}
	for i := range under {
		if !seen[name(&under[i])] {
			over = append(over, under[i])
		}
	}
	return over
}

// ControllerConfig implements Facts.
func (o Overlay) ControllerConfig(instanceID string) (forecast.ControllerConfig, error) {
	if o.Over.controllerConfigMap() != nil {
		return o.Over.ControllerConfig(instanceID)
	}
	return o.Under.ControllerConfig(instanceID)
}

// ConfigMap implements Facts.
func (o Overlay) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return firstFound(func() (*corev1.ConfigMap, error) { return o.Over.ConfigMap(namespace, name) },
		func() (*corev1.ConfigMap, error) { return o.Under.ConfigMap(namespace, name) })
}

// ServiceAccount implements Facts.
func (o Overlay) ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error) {
	return firstFound(func() (*corev1.ServiceAccount, error) { return o.Over.ServiceAccount(namespace, name) },
		func() (*corev1.ServiceAccount, error) { return o.Under.ServiceAccount(namespace, name) })
}

// WorkflowTemplate implements Facts.
func (o Overlay) WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error) {
	return firstFound(func() (*wfv1.WorkflowTemplate, error) { return o.Over.WorkflowTemplate(namespace, name) },
		func() (*wfv1.WorkflowTemplate, error) { return o.Under.WorkflowTemplate(namespace, name) })
}

// ClusterWorkflowTemplate implements Facts.
func (o Overlay) ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	return firstFound(func() (*wfv1.ClusterWorkflowTemplate, error) { return o.Over.ClusterWorkflowTemplate(name) },
		func() (*wfv1.ClusterWorkflowTemplate, error) { return o.Under.ClusterWorkflowTemplate(name) })
}

// LimitRanges implements Facts.
func (o Overlay) LimitRanges(namespace string) ([]corev1.LimitRange, error) {
	under, err := o.Under.LimitRanges(namespace)
	return mergeByName(o.Over.limitRangesIn(namespace), under, (*corev1.LimitRange).GetName), err
}

// ResourceQuotas implements Facts.
func (o Overlay) ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error) {
	under, err := o.Under.ResourceQuotas(namespace)
	return mergeByName(o.Over.quotasIn(namespace), under, (*corev1.ResourceQuota).GetName), err
}

// PriorityClasses implements Facts.
func (o Overlay) PriorityClasses() ([]schedulingv1.PriorityClass, error) {
	under, err := o.Under.PriorityClasses()
	return mergeByName(o.Over.priorityClasses, under, (*schedulingv1.PriorityClass).GetName), err
}

// ServerVersion implements Facts.
func (o Overlay) ServerVersion() (string, error) { return o.Under.ServerVersion() }

// NamespaceIsNew implements Facts.
func (o Overlay) NamespaceIsNew(namespace string) (bool, error) {
	return o.Under.NamespaceIsNew(namespace)
}

// SecretSources implements Facts.
func (o Overlay) SecretSources(namespace string) ([]SecretSource, error) {
	over, _ := o.Over.SecretSources(namespace)
	under, err := o.Under.SecretSources(namespace)
	return slices.Concat(over, under), err
}

// ForRule implements Facts.
func (o Overlay) ForRule(id string) Facts { return Overlay{o.Over, o.Under.ForRule(id)} }

// CheckObjects implements Facts.
func (o Overlay) CheckObjects(namespace string, queries []ObjectQuery) map[ObjectRef]ObjectStatus {
	out := o.Over.CheckObjects(namespace, queries)
	var rest []ObjectQuery
	for _, q := range queries {
		if out[q.ObjectRef].Err != nil {
			rest = append(rest, q)
		}
	}
	if len(rest) > 0 {
		maps.Copy(out, o.Under.CheckObjects(namespace, rest))
	}
	return out
}
