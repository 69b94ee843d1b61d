package webhook

import (
	"cmp"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// Config is what an admin configures. As a file it is a Configuration of kfp-preflight.dev/v1alpha1.
type Config struct {
	metav1.TypeMeta `json:",inline"`
	// Policy decides what findings lead to.
	validators.Policy `json:",inline"`
	// Exempt lists requests that are not judged.
	Exempt Exemptions `json:"exempt"`
	// IgnoreSkips ignores the skip annotation of objects.
	IgnoreSkips bool `json:"ignoreSkips,omitempty"`
	// KFP describes the installation of Kubeflow Pipelines.
	KFP validators.Options `json:"kfp"`
	// Argo says where the workflow-controllers have their configuration.
	Argo lookup.ArgoConfig `json:"argo"`
	// Lookups configures the requests to the API server.
	Lookups LookupConfig `json:"lookups"`
	// Events records denials and warnings as Events in the namespace, for users who don't see the response, such as those of KFP's UI.
	Events bool `json:"events,omitempty"`
}

// Exemptions are requests that are admitted without being judged.
type Exemptions struct {
	// Namespaces of objects. A Profile counts as being in the namespace of its name.
	Namespaces []string `json:"namespaces,omitempty"`
	// Users and Groups of the client that makes the request.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// exempts reports whether a request is exempt.
func (e Exemptions) exempts(req *admissionv1.AdmissionRequest) bool {
	return slices.Contains(e.Namespaces, cmp.Or(req.Namespace, req.Name)) ||
		slices.Contains(e.Users, req.UserInfo.Username) ||
		slices.ContainsFunc(req.UserInfo.Groups, func(group string) bool { return slices.Contains(e.Groups, group) })
}

// LookupConfig configures the requests to the API server.
type LookupConfig struct {
	// Timeout bounds all lookups of one review. The webhook's timeoutSeconds, which the API server sends with each request,
	// applies as well.
	Timeout metav1.Duration `json:"timeout"`
	// Remember is how long an answer of the API server may be reused. A reused answer never leads to a denial.
	Remember metav1.Duration `json:"remember"`
}

// DefaultConfig is the configuration for a stock Kubeflow.
func DefaultConfig() Config {
	return Config{
		TypeMeta: metav1.TypeMeta{APIVersion: "kfp-preflight.dev/v1alpha1", Kind: "Configuration"},
		Argo: lookup.ArgoConfig{ConfigMapLocation: lookup.ConfigMapLocation{
			Namespace: "kubeflow", ConfigMap: lookup.DefaultConfigMap,
		}},
		Lookups: LookupConfig{
			Timeout: metav1.Duration{Duration: 3 * time.Second}, Remember: metav1.Duration{Duration: 5 * time.Second},
		},
	}
}

// LookupOptions are the options of a lookup.Client under this configuration, without metrics and log.
func (c Config) LookupOptions() lookup.Options {
	return lookup.Options{Argo: c.Argo, Timeout: c.Lookups.Timeout.Duration, CacheTTL: c.Lookups.Remember.Duration}
}
