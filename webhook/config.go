package webhook

import (
	"cmp"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// Config is what an admin may decide about the judgement. In a file it has the kind Configuration of kfp-preflight.dev/v1alpha1.
type Config struct {
	metav1.TypeMeta `json:",inline"`
	// Policy says what findings lead to.
	validators.Policy `json:",inline"`
	// Exempt are those who are not judged.
	Exempt Exemptions `json:"exempt"`
	// IgnoreSkips makes the annotation of an object that names rules mean nothing.
	IgnoreSkips bool `json:"ignoreSkips,omitempty"`
	// KFP is what the judgement has to know of Kubeflow Pipelines.
	KFP validators.Options `json:"kfp"`
	// Argo says where the workflow-controller's configuration lies.
	Argo ArgoConfig `json:"argo"`
	// Lookups bounds what the API server is asked.
	Lookups LookupConfig `json:"lookups"`
	// Events on the namespace tell of denials and warnings those who don't see the answer, such as the users of KFP's pages.
	Events bool `json:"events,omitempty"`
}

// Exemptions are those whose objects are let in without being judged.
type Exemptions struct {
	// Namespaces of objects. A Profile is in the one that bears its name.
	Namespaces []string `json:"namespaces,omitempty"`
	// Users and Groups of whoever makes the request.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// exempts reports whether a request is not to be judged.
func (e Exemptions) exempts(req *admissionv1.AdmissionRequest) bool {
	return slices.Contains(e.Namespaces, cmp.Or(req.Namespace, req.Name)) || slices.Contains(e.Users, req.UserInfo.Username) ||
		slices.ContainsFunc(req.UserInfo.Groups, func(group string) bool { return slices.Contains(e.Groups, group) })
}

// ArgoConfig says where the configuration of the workflow-controllers lies.
type ArgoConfig struct {
	// The one that runs Workflows without an instance ID.
	ConfigMapLocation `json:",inline"`
	// Instances are the others, by instance ID.
	Instances map[string]ConfigMapLocation `json:"instances,omitempty"`
}

// ConfigMapLocation says where the configuration of one workflow-controller lies. A ConfigMap that is not named is the one of a stock
// installation.
type ConfigMapLocation struct {
	Namespace string `json:"namespace"`
	ConfigMap string `json:"configMap,omitempty"`
}

const stockConfigMap = "workflow-controller-configmap"

// of says where the configuration of an instance lies, if that is known.
func (a ArgoConfig) of(instanceID string) (ConfigMapLocation, bool) {
	if instanceID == "" {
		return a.ConfigMapLocation, true
	}
	at, ok := a.Instances[instanceID]
	at.ConfigMap = cmp.Or(at.ConfigMap, stockConfigMap)
	return at, ok
}

// LookupConfig bounds what the API server is asked.
type LookupConfig struct {
	// Timeout ends all lookups of one review. The API server's own timeout, which a request carries, ends them
	// earlier if it is shorter.
	Timeout metav1.Duration `json:"timeout"`
	// Remember is how long what was there when we looked counts as there. Nobody is ever denied from memory.
	Remember metav1.Duration `json:"remember"`
}

// DefaultConfig fits a stock Kubeflow.
func DefaultConfig() Config {
	return Config{
		TypeMeta: metav1.TypeMeta{APIVersion: "kfp-preflight.dev/v1alpha1", Kind: "Configuration"},
		Argo:     ArgoConfig{ConfigMapLocation: ConfigMapLocation{Namespace: "kubeflow", ConfigMap: stockConfigMap}},
		Lookups:  LookupConfig{Timeout: metav1.Duration{Duration: 3 * time.Second}, Remember: metav1.Duration{Duration: 5 * time.Second}},
	}
}
