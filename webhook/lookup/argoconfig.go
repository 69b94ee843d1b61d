package lookup

import "cmp"

// ArgoConfig says where the configuration of the workflow-controllers is stored.
type ArgoConfig struct {
	// ConfigMapLocation is that of the controller that runs Workflows without an instance ID.
	ConfigMapLocation `json:",inline"`
	// Instances are the other controllers, by instance ID.
	Instances map[string]ConfigMapLocation `json:"instances,omitempty"`
}

// ConfigMapLocation is where one workflow-controller has its configuration.
type ConfigMapLocation struct {
	Namespace string `json:"namespace"`
	// ConfigMap is the name of the ConfigMap; DefaultConfigMap if empty.
	ConfigMap string `json:"configMap,omitempty"`
}

// DefaultConfigMap is the name of the ConfigMap in a stock installation of Argo.
const DefaultConfigMap = "workflow-controller-configmap"

// Location returns where the controller of an instance ID has its configuration. ok is false if the instance is not configured.
func (a ArgoConfig) Location(instanceID string) (at ConfigMapLocation, ok bool) {
	if instanceID == "" {
		return a.ConfigMapLocation, true
	}
	at, ok = a.Instances[instanceID]
	at.ConfigMap = cmp.Or(at.ConfigMap, DefaultConfigMap)
	return at, ok
}
