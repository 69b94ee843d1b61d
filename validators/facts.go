package validators

import (
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Facts are what rules may ask about the cluster. An error means that the answer could not be found out; its text is
// fit for a user to read. Rules never take it for an answer.
type Facts interface {
	forecast.Facts
	// LimitRanges are those of a namespace; none if the namespace does not exist.
	LimitRanges(namespace string) ([]corev1.LimitRange, error)
	// ResourceQuotas are those of a namespace; none if the namespace does not exist.
	ResourceQuotas(namespace string) ([]corev1.ResourceQuota, error)
	// PriorityClasses are those of the cluster.
	PriorityClasses() ([]schedulingv1.PriorityClass, error)
	// ServerVersion is that of the API server, such as v1.37.2.
	ServerVersion() (string, error)
	// CheckObjects answers for each of the objects whether it is there: in the namespace, if it is of a kind that has one. They are
	// asked for together so that they can be looked up together.
	CheckObjects(namespace string, wanted []ObjectQuery) map[ObjectRef]ObjectStatus
}

// Attentive are Facts that are told which rule is about to ask, by its ID, so that they know what its findings stand on. What a forecast
// asks comes before, for all of them.
type Attentive interface{ Asking(rule string) }

// ObjectRef names an object that pods can't start without.
type ObjectRef struct {
	Kind, Name string
}

// The kinds of objects that Facts.Look knows.
const (
	Secret                = "Secret"
	ConfigMap             = "ConfigMap"
	ServiceAccount        = "ServiceAccount"
	PersistentVolumeClaim = "PersistentVolumeClaim"
	PriorityClass         = "PriorityClass" // has no namespace
)

// ObjectQuery is an object to look for.
type ObjectQuery struct {
	ObjectRef
	// Keys are those that matter, sorted; none if it is enough that the object exists.
	Keys []string
}

// ObjectStatus is what rules may know of an object: whether it exists and, of a Secret or a ConfigMap, what its keys are called.
// Never a value.
type ObjectStatus struct {
	Exists bool
	// Keys are those of the wanted keys that the object has, at least.
	Keys sets.Set[string]
	// Err is set if it could not be found out; the other fields say nothing then.
	Err error
}
