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

// ControllerConfig is the part of the workflow-controller's configuration that shapes pods. The
// zero value is the configuration in an empty ConfigMap.
// Source: argoproj/argo-workflows v3.7.3 config/config.go Config.
type ControllerConfig struct {
	// Executor customizes Argo's own containers. Only its Env and Resources are used.
	Executor *corev1.Container `json:"executor,omitempty"`
	// MainContainer has the defaults for main containers.
	MainContainer *corev1.Container `json:"mainContainer,omitempty"`
	// WorkflowDefaults has the defaults for Workflows.
	WorkflowDefaults *wfv1.Workflow `json:"workflowDefaults,omitempty"`
	// ArtifactRepository stores the artifacts and logs of Workflows in namespaces without a
	// repository of their own.
	ArtifactRepository *ArtifactRepository `json:"artifactRepository,omitempty"`
	// KubeConfig names a Secret that Argo's own containers use to connect to the API server.
	KubeConfig *KubeConfig `json:"kubeConfig,omitempty"`

	// Namespace is where the controller itself runs. It is not part of the ConfigMap.
	Namespace string `json:"-"`
}

// KubeConfig names a Secret with a kubeconfig that is mounted into Argo's own containers.
type KubeConfig struct {
	SecretName string `json:"secretName"`
	SecretKey  string `json:"secretKey,omitempty"`
	VolumeName string `json:"volumeName,omitempty"`
	MountPath  string `json:"mountPath,omitempty"`
}

// ParseControllerConfig parses the data of the controller's ConfigMap: one YAML document under the
// key "config", or one document per key. It ignores keys that don't shape pods, so that it also
// reads the ConfigMaps of newer Argo versions. The error names the key that can't be read.
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

// configDocuments returns the values of the keys that shape pods, as JSON.
func configDocuments(data map[string]string) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	if config, ok := data["config"]; ok {
		if err := yaml.Unmarshal([]byte(config), &out); err != nil {
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

// executorResources returns the resources of Argo's own containers.
func (c ControllerConfig) executorResources() corev1.ResourceRequirements {
	if c.Executor == nil {
		return corev1.ResourceRequirements{}
	}
	return c.Executor.Resources
}

// executorEnv returns the environment variables that the configuration adds to Argo's own
// containers.
// executorImage is the image of init and wait, as far as the configuration names one.
func (c ControllerConfig) executorImage() string {
	if c.Executor == nil || c.Executor.Image == "" {
		return ExecutorImage
	}
	return c.Executor.Image
}

func (c ControllerConfig) executorEnv() []corev1.EnvVar {
	if c.Executor == nil {
		return nil
	}
	return c.Executor.Env
}

// Default volume name and mount path of a kubeConfig.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/common.go.
const kubeConfigVolume, kubeConfigMount = "kubeconfig", "/kube/config"

// kubeConfigVolume returns the volume for the kubeConfig, if there is one.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go createVolumes.
func (c ControllerConfig) kubeConfigVolume() []corev1.Volume {
	if c.KubeConfig == nil {
		return nil
	}
	return []corev1.Volume{{Name: cmp.Or(c.KubeConfig.VolumeName, kubeConfigVolume), VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: c.KubeConfig.SecretName},
	}}}
}

// kubeConfigMount returns the mount of the kubeConfig in Argo's own containers, if there is one.
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
