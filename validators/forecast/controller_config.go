package forecast

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// ControllerConfig is the part of the workflow-controller's configuration that shapes pods. The zero value is what an empty
// ConfigMap gives.
// Source: argoproj/argo-workflows v3.7.3 config/config.go Config.
type ControllerConfig struct {
	// Executor customizes Argo's own containers, init and wait. Only Env and Resources shape a pod here.
	Executor *corev1.Container `json:"executor,omitempty"`
	// MainContainer lies under every main container.
	MainContainer *corev1.Container `json:"mainContainer,omitempty"`
	// WorkflowDefaults lies under every Workflow.
	WorkflowDefaults *wfv1.Workflow `json:"workflowDefaults,omitempty"`
	// ArtifactRepository takes the artifacts and logs of Workflows whose namespace has none of its own.
	ArtifactRepository *ArtifactRepository `json:"artifactRepository,omitempty"`

	// KubeConfig is a Secret that Argo's own containers reach the API server with.
	KubeConfig *KubeConfig `json:"kubeConfig,omitempty"`

	// Namespace is where the controller itself runs. It is not part of its configuration.
	Namespace string `json:"-"`
}

// KubeConfig says which Secret with a kubeconfig is mounted into Argo's own containers.
type KubeConfig struct {
	SecretName string `json:"secretName"`
	SecretKey  string `json:"secretKey,omitempty"`
	VolumeName string `json:"volumeName,omitempty"`
	MountPath  string `json:"mountPath,omitempty"`
}

// ParseControllerConfig reads the data of the controller's ConfigMap: one YAML document under the key "config", or one
// document per key. Keys that don't shape pods are ignored, whatever they hold, so that the ConfigMap of a newer Argo is
// read as well. The error names the key that can't be read.
// Source: argoproj/argo-workflows v3.7.3 config/controller.go parseConfigMap.
func ParseControllerConfig(data map[string]string) (ControllerConfig, error) {
	documents, err := configDocuments(data)
	if err != nil {
		return ControllerConfig{}, err
	}
	var c ControllerConfig
	for key, into := range map[string]any{
		"executor": &c.Executor, "mainContainer": &c.MainContainer, "artifactRepository": &c.ArtifactRepository,
		"kubeConfig": &c.KubeConfig,
	} {
		if document, ok := documents[key]; ok {
			if err := json.Unmarshal(document, into); err != nil {
				return ControllerConfig{}, fmt.Errorf("key %s: %w", key, err)
			}
		}
	}
	if defaults, ok := documents["workflowDefaults"]; ok {
		if c.WorkflowDefaults, err = Decode[wfv1.Workflow](defaults); err != nil {
			return ControllerConfig{}, fmt.Errorf("key workflowDefaults: %w", err)
		}
	}
	return c, nil
}

// configDocuments are the values of the keys that shape pods, as JSON.
func configDocuments(data map[string]string) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if whole, ok := data["config"]; ok {
		if err := yaml.Unmarshal([]byte(whole), &out); err != nil {
			return nil, fmt.Errorf("key config: %w", err)
		}
		return out, nil
	}
	for _, key := range []string{"executor", "mainContainer", "workflowDefaults", "artifactRepository", "kubeConfig"} {
		if strings.TrimSpace(data[key]) == "" {
			continue
		}
		document, err := yaml.YAMLToJSON([]byte(data[key]))
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", key, err)
		}
		out[key] = document
	}
	return out, nil
}

// executorResources are the resources of init and wait, and of a main container that Argo itself runs.
func (c ControllerConfig) executorResources() corev1.ResourceRequirements {
	if c.Executor == nil {
		return corev1.ResourceRequirements{}
	}
	return c.Executor.Resources
}

func (c ControllerConfig) executorEnv() []corev1.EnvVar {
	if c.Executor == nil {
		return nil
	}
	return c.Executor.Env
}

// The volume of a kubeConfig and its mount, where its configuration does not say otherwise.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/common.go.
const kubeConfigVolume, kubeConfigMount = "kubeconfig", "/kube/config"

// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go createVolumes.
func (c ControllerConfig) kubeConfigVolume() []corev1.Volume {
	if c.KubeConfig == nil {
		return nil
	}
	return []corev1.Volume{{Name: cmp.Or(c.KubeConfig.VolumeName, kubeConfigVolume), VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: c.KubeConfig.SecretName},
	}}}
}

// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go newExecContainer.
func (c ControllerConfig) kubeConfigMount() []corev1.VolumeMount {
	if c.KubeConfig == nil {
		return nil
	}
	return []corev1.VolumeMount{{
		Name: cmp.Or(c.KubeConfig.VolumeName, kubeConfigVolume), MountPath: cmp.Or(c.KubeConfig.MountPath, kubeConfigMount),
		ReadOnly: true, SubPath: c.KubeConfig.SecretKey,
	}}
}
