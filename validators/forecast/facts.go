package forecast

import (
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// Facts looks up what a forecast needs to know about the cluster. For an object that does not
// exist, its methods return nil and no error. An error means that the lookup failed; its text is
// shown to users as part of a Gap.
type Facts interface {
	// ControllerConfig returns the configuration of the workflow-controller that runs Workflows
	// with the given instance ID. The ID is empty for Workflows without one. A controller does not
	// start without its ConfigMap, so a ConfigMap that is not found is an error: it was looked for in
	// the wrong place.
	// Source: argoproj/argo-workflows v3.7.3 workflow/controller/config.go updateConfig, config/controller.go Get.
	ControllerConfig(instanceID string) (ControllerConfig, error)
	// WorkflowTemplate returns the WorkflowTemplate that a templateRef or workflowTemplateRef
	// names.
	WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error)
	// ClusterWorkflowTemplate returns the ClusterWorkflowTemplate that a templateRef or
	// workflowTemplateRef names.
	ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error)
	// ConfigMap returns a ConfigMap with artifact repositories or with values of parameters.
	ConfigMap(namespace, name string) (*corev1.ConfigMap, error)
	// ServiceAccount returns a ServiceAccount, which may name the Secret with its token.
	ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error)
}
