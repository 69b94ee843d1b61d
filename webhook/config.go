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
	// WarnOnly lists requests that are answered with warnings instead of denials.
	WarnOnly WarnOnly `json:"warnOnly"`
	// Confirm says who has the last word before a denial about a pod: the forecast if empty, the API server if dry-run.
	Confirm Confirmation `json:"confirm,omitempty"`
	// SecretSources are kinds of objects that create Secrets, in addition to the well-known ones.
	SecretSources []validators.SecretSourceKind `json:"secretSources,omitempty"`
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
	return slices.Contains(e.Namespaces, cmp.Or(req.Namespace, req.Name)) || isUserOf(req, e.Users, e.Groups)
}

// WarnOnly selects requests that are answered with warnings instead of denials, such as those of a GitOps tool, which may apply a
// Secret after the Workflow that needs it.
type WarnOnly struct {
	// DryRun selects server-side dry runs.
	DryRun bool `json:"dryRun,omitempty"`
	// Users and Groups of the client that makes the request.
	Users  []string `json:"users,omitempty"`
	Groups []string `json:"groups,omitempty"`
}

// selects reports whether a request gets warnings only.
func (w WarnOnly) selects(req *admissionv1.AdmissionRequest) bool {
	return w.DryRun && isDryRun(req) || isUserOf(req, w.Users, w.Groups)
}

func isDryRun(req *admissionv1.AdmissionRequest) bool { return req.DryRun != nil && *req.DryRun }

// isUserOf reports whether a request is made by one of these users, or by a member of one of these groups.
func isUserOf(req *admissionv1.AdmissionRequest, users, groups []string) bool {
	return slices.Contains(users, req.UserInfo.Username) ||
		slices.ContainsFunc(req.UserInfo.Groups, func(group string) bool { return slices.Contains(groups, group) })
}

// Confirmation is how a denial about a pod is confirmed before it is sent.
type Confirmation string

// ConfirmByDryRun creates the pod in a dry run. Only if the API server refuses it, the object is denied.
const ConfirmByDryRun Confirmation = "dry-run"

// LookupConfig configures the requests to the API server.
type LookupConfig struct {
	// Timeout bounds all lookups of one review. The webhook's timeoutSeconds, which the API server sends with each request,
	// applies as well.
	Timeout metav1.Duration `json:"timeout"`
	// Remember is how long an answer of the API server may be reused. A reused answer never leads to a denial.
	Remember metav1.Duration `json:"remember"`
	// NewNamespace is how long Kubeflow's controllers may take to create the objects in a new Profile's namespace. During that time
	// a missing object does not lead to a denial there.
	NewNamespace metav1.Duration `json:"newNamespace"`
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
			NewNamespace: metav1.Duration{Duration: time.Minute},
		},
	}
}

// LookupOptions are the options of a lookup.Client under this configuration, without metrics and log.
func (c Config) LookupOptions() lookup.Options {
	return lookup.Options{
		Argo: c.Argo, SecretSources: c.SecretSources,
		Timeout: c.Lookups.Timeout.Duration, CacheTTL: c.Lookups.Remember.Duration, NewNamespaceAge: c.Lookups.NewNamespace.Duration,
	}
}
