package conformance

import (
	"context"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// clusterFacts implements forecast.Facts. It reads objects from a control plane or, without one,
// finds none.
type clusterFacts struct {
	controlPlane controlPlane
	controller   forecast.ControllerConfig
}

func (f clusterFacts) ControllerConfig(string) (forecast.ControllerConfig, error) {
	return f.controller, nil
}

func (f clusterFacts) WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error) {
	return get[wfv1.WorkflowTemplate](f, namespace, name)
}

func (f clusterFacts) ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	return get[wfv1.ClusterWorkflowTemplate](f, "", name)
}

func (f clusterFacts) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return get[corev1.ConfigMap](f, namespace, name)
}

func (f clusterFacts) ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error) {
	return get[corev1.ServiceAccount](f, namespace, name)
}

// get reads an object. It returns nil if there is none.
func get[T any, P interface {
	*T
	client.Object
}](f clusterFacts, namespace, name string) (*T, error) {
	if f.controlPlane.client == nil {
		return nil, nil
	}
	out := P(new(T))
	err := f.controlPlane.client.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, out)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return out, err
}
