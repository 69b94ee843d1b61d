package forecast

import (
	"errors"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// ErrConfigNotFound is the error of Facts.Controller where the workflow-controller's ConfigMap is not where it was looked
// for.
var ErrConfigNotFound = errors.New("it was not found")

// Facts are what a forecast asks about the cluster. Nil without an error means that there is no such object. An error
// means that it could not be found out; its text is fit for a user to read, and becomes part of a Gap.
type Facts interface {
	// ControllerConfig is the configuration of the workflow-controller that runs the Workflows of an instance ID; empty for those that have
	// none.
	ControllerConfig(instanceID string) (ControllerConfig, error)
	// WorkflowTemplate and ClusterWorkflowTemplate are what templateRef and workflowTemplateRef name.
	WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error)
	ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error)
	// ConfigMap is asked for artifact repositories and for the values of parameters.
	ConfigMap(namespace, name string) (*corev1.ConfigMap, error)
	// ServiceAccount is asked for the Secret of its token.
	ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error)
}
