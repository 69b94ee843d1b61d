package lookup

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

// resources are the API resources of the kinds that CheckObjects knows.
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

// maxConcurrentPerSession bounds the lookups that one session performs at the same time.
const maxConcurrentPerSession = 8

// CheckObjects implements validators.Facts. It looks up the objects concurrently.
func (f Facts) CheckObjects(namespace string, queries []validators.ObjectQuery) map[validators.ObjectRef]validators.ObjectStatus {
	out := make(map[validators.ObjectRef]validators.ObjectStatus, len(queries))
	var lock sync.Mutex
	var group errgroup.Group
	group.SetLimit(maxConcurrentPerSession)
	for _, q := range queries {
		group.Go(func() error {
			status := f.checkObject(namespace, q)
			lock.Lock()
			defer lock.Unlock()
			out[q.ObjectRef] = status
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	return out
}

// checkObject looks up one object. It reads only the metadata unless keys are queried.
func (f Facts) checkObject(namespace string, q validators.ObjectQuery) validators.ObjectStatus {
	if len(validation.IsDNS1123Subdomain(q.Name)) > 0 {
		return validators.ObjectStatus{} // no object can have that name
	}
	resource := resources[q.Kind]
	if !resource.namespaced {
		namespace = ""
	}
	kind := metav1.TypeMeta{APIVersion: resource.version, Kind: q.Kind}
	l := lookup{
		resource: resource.name, path: apiPath(kind, namespace, resource.name, q.Name),
		form: "metadata", kind: onlyMetadata, name: q.Name,
		decode:    func([]byte) (any, error) { return sets.Set[string](nil), nil },
		satisfied: func(any) bool { return true },
	}
	if len(q.Keys) > 0 {
		l.form, l.kind = "keys "+strings.Join(q.Keys, ","), kind
		l.decode = func(raw []byte) (any, error) { return presentKeys(raw, q.Keys) }
		l.satisfied = func(value any) bool { return value.(sets.Set[string]).HasAll(q.Keys...) }
	}
	keys, err := f.get(l)
	switch {
	case isNotFound(err):
		return validators.ObjectStatus{}
	case err != nil:
		return validators.ObjectStatus{Err: err}
	}
	return validators.ObjectStatus{Exists: true, Keys: keys.(sets.Set[string])}
}

// presentKeys returns which of the wanted keys a Secret or a ConfigMap has. Nothing else of the object stays in memory.
func presentKeys(raw []byte, wanted []string) (sets.Set[string], error) {
	var object struct {
		Data       map[string]ignoredValue `json:"data"`
		BinaryData map[string]ignoredValue `json:"binaryData"`
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

// ignoredValue is a JSON value that is skipped, not decoded.
type ignoredValue struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*ignoredValue) UnmarshalJSON([]byte) error { return nil }
