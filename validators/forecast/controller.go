package forecast

import (
	"fmt"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// Controller is the part of the workflow-controller's configuration that shapes pods. The zero value is what an empty
// ConfigMap gives.
// Source: argoproj/argo-workflows v3.7.3 config/config.go Config.
type Controller struct {
	// Executor customizes Argo's own containers, init and wait. Only Env and Resources shape a pod here.
	Executor *corev1.Container `json:"executor,omitempty"`
	// MainContainer lies under every main container.
	MainContainer *corev1.Container `json:"mainContainer,omitempty"`
	// WorkflowDefaults lies under every Workflow.
	WorkflowDefaults *wfv1.Workflow `json:"workflowDefaults,omitempty"`
	// ArtifactRepository takes the artifacts and logs of Workflows whose namespace has none of its own.
	ArtifactRepository *wfv1.ArtifactRepository `json:"artifactRepository,omitempty"`

	// Namespace is where the controller itself runs. It is not part of its configuration.
	Namespace string `json:"-"`
}

// ParseController reads the data of the controller's ConfigMap: one YAML document under the key "config", or one
// document per key. Keys that don't shape pods are ignored, whatever they hold, so that the ConfigMap of a newer Argo is
// read as well. The error names the key that can't be read.
// Source: argoproj/argo-workflows v3.7.3 config/controller.go parseConfigMap.
func ParseController(data map[string]string) (Controller, error) {
	var c Controller
	if whole, ok := data["config"]; ok {
		if err := yaml.Unmarshal([]byte(whole), &c); err != nil {
			return Controller{}, fmt.Errorf("key config: %w", err)
		}
		return c, nil
	}
	for key, into := range map[string]any{
		"executor": &c.Executor, "mainContainer": &c.MainContainer, "workflowDefaults": &c.WorkflowDefaults,
		"artifactRepository": &c.ArtifactRepository,
	} {
		text := data[key]
		if strings.TrimSpace(text) == "" {
			continue
		}
		if err := yaml.Unmarshal([]byte(text), into); err != nil {
			return Controller{}, fmt.Errorf("key %s: %w", key, err)
		}
	}
	return c, nil
}

// executorResources are the resources of init and wait, and of a main container that Argo itself runs.
func (c Controller) executorResources() corev1.ResourceRequirements {
	if c.Executor == nil {
		return corev1.ResourceRequirements{}
	}
	return c.Executor.Resources
}

func (c Controller) executorEnv() []corev1.EnvVar {
	if c.Executor == nil {
		return nil
	}
	return c.Executor.Env
}
