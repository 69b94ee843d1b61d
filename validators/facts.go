package validators

import (
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Facts answers the questions of rules about the cluster. An error means that the answer is unknown, and is worded for the user. Rules
// never conclude anything from an error.
type Facts interface {
	forecast.Facts
	// ForRule returns the same facts for the rule with this ID. Implementations may record which rule asks for what.
	ForRule(id string) Facts
	// LimitRanges returns those of a namespace; none if the namespace does not exist.
	LimitRanges(namespace string) ([]corev1.LimitRange, error)
	// ResourceQuotas returns those of a namespace; none if the namespace does not exist.
	ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error)
	// PriorityClasses returns those of the cluster.
	PriorityClasses() ([]schedulingv1.PriorityClass, error)
	// SecretSources returns the objects of a namespace whose controllers create Secrets. If there is an error, some are missing from the
	// list; the error says which.
	SecretSources(namespace string) ([]SecretSource, error)
	// NamespaceIsNew reports whether a namespace was created so recently that controllers may still be creating its objects.
	NamespaceIsNew(namespace string) (bool, error)
	// ServerVersion returns the version of the API server, such as v1.37.2.
	ServerVersion() (string, error)
	// CheckObjects reports for each query whether the object exists, in the namespace if its kind is namespaced. Queries are passed
	// together so that they can run concurrently.
	CheckObjects(namespace string, queries []ObjectQuery) map[ObjectRef]ObjectStatus
}

// ObjectRef names an object that pods depend on.
type ObjectRef struct {
	Kind, Name string
}

// The kinds that Facts.CheckObjects knows.
const (
	Secret                = "Secret"
	ConfigMap             = "ConfigMap"
	ServiceAccount        = "ServiceAccount"
	PersistentVolumeClaim = "PersistentVolumeClaim"
	PriorityClass         = "PriorityClass" // not namespaced
)

// ObjectQuery asks whether an object exists, and which of some keys it has.
type ObjectQuery struct {
	ObjectRef
	// Keys of a Secret or a ConfigMap, sorted. Empty if it is enough that the object exists.
	Keys []string
}

// ObjectStatus says whether an object exists and, for a Secret or a ConfigMap, which keys it has. It never has a value.
type ObjectStatus struct {
	Exists bool
	// Keys has at least those of the queried keys that the object has.
	Keys sets.Set[string]
	// Err is set if the status is unknown. The other fields mean nothing then.
	Err error
}
