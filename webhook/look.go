package webhook

import (
	"encoding/json"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// resources say where the objects that rules look for are in the API, and whether they have a namespace.
var resources = map[string]struct {
	version, name string
	namespaced    bool
}{
	validators.Secret:                {"v1", "secrets", true},
	validators.ConfigMap:             {"v1", "configmaps", true},
	validators.ServiceAccount:        {"v1", "serviceaccounts", true},
	validators.PersistentVolumeClaim: {"v1", "persistentvolumeclaims", true},
	validators.PriorityClass:         {"scheduling.k8s.io/v1", "priorityclasses", false},
}

// looksAtOnce bounds how many objects one review looks up at the same time.
const looksAtOnce = 8

// CheckObjects looks up objects in parallel.
func (j *judgementFacts) CheckObjects(namespace string, wanted []validators.ObjectQuery) map[validators.ObjectRef]validators.ObjectStatus {
	out := make(map[validators.ObjectRef]validators.ObjectStatus, len(wanted))
	var lock sync.Mutex
	var group errgroup.Group
	group.SetLimit(looksAtOnce)
	for _, w := range wanted {
		group.Go(func() error {
			found := j.look(namespace, w)
			lock.Lock()
			defer lock.Unlock()
			out[w.ObjectRef] = found
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	return out
}

func (j *judgementFacts) look(namespace string, w validators.ObjectQuery) validators.ObjectStatus {
	if len(validation.IsDNS1123Subdomain(w.Name)) > 0 {
		return validators.ObjectStatus{} // nothing can be called that
	}
	at := resources[w.Kind]
	if !at.namespaced {
		namespace = ""
	}
	kind := metav1.TypeMeta{APIVersion: at.version, Kind: w.Kind}
	q := lookup{
		resource: at.name, path: apiPath(kind, namespace, at.name, w.Name), form: "metadata", kind: onlyMetadata, name: w.Name,
		decode:   func([]byte) (any, error) { return sets.Set[string](nil), nil },
		satisfied: func(any) bool { return true },
	}
	if len(w.Keys) > 0 {
		q.form, q.kind = "keys "+strings.Join(w.Keys, ","), kind
		q.decode = func(raw []byte) (any, error) { return keysOf(raw, w.Keys) }
		q.satisfied = func(answer any) bool { return answer.(sets.Set[string]).HasAll(w.Keys...) }
	}
	keys, err := j.ask(q)
	switch {
	case isNotFound(err):
		return validators.ObjectStatus{}
	case err != nil:
		return validators.ObjectStatus{Err: err}
	}
	return validators.ObjectStatus{Exists: true, Keys: keys.(sets.Set[string])}
}

// keysOf returns which of some keys a Secret or a ConfigMap has. Nothing else of it stays in memory.
func keysOf(raw []byte, wanted []string) (sets.Set[string], error) {
	var object struct {
		Data       map[string]passedOver `json:"data"`
		BinaryData map[string]passedOver `json:"binaryData"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, err
	}
	keys := sets.New[string]()
	for _, key := range wanted {
		_, data := object.Data[key]
		_, binary := object.BinaryData[key]
		if data || binary {
			keys.Insert(key)
		}
	}
	return keys, nil
}

// passedOver is a value that is not even read.
type passedOver struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*passedOver) UnmarshalJSON([]byte) error { return nil }
