package webhook

import (
	"context"
	"encoding/json"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// resources say where the objects that rules look for are in the API.
var resources = map[string]struct {
	group      []string
	name       string
	namespaced bool
}{
	validators.Secret:                {[]string{"api", "v1"}, "secrets", true},
	validators.ConfigMap:             {[]string{"api", "v1"}, "configmaps", true},
	validators.ServiceAccount:        {[]string{"api", "v1"}, "serviceaccounts", true},
	validators.PersistentVolumeClaim: {[]string{"api", "v1"}, "persistentvolumeclaims", true},
	validators.PriorityClass:         {[]string{"apis", "scheduling.k8s.io", "v1"}, "priorityclasses", false},
}

// onlyMetadata asks the API server to leave out what an object holds.
const onlyMetadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

// looksAtOnce bounds how many objects one review looks up at the same time.
const looksAtOnce = 8

// Look looks up objects in parallel.
func (j *judgementFacts) Look(namespace string, wanted []validators.Wanted) map[validators.Object]validators.Found {
	out := make(map[validators.Object]validators.Found, len(wanted))
	var lock sync.Mutex
	var group errgroup.Group
	group.SetLimit(looksAtOnce)
	for _, w := range wanted {
		group.Go(func() error {
			found := j.look(namespace, w)
			lock.Lock()
			defer lock.Unlock()
			out[w.Object] = found
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	return out
}

func (j *judgementFacts) look(namespace string, w validators.Wanted) validators.Found {
	if len(validation.IsDNS1123Subdomain(w.Name)) > 0 {
		return validators.Found{} // nothing can be called that
	}
	at := resources[w.Kind]
	path := at.group
	if at.namespaced {
		path = append(path[:len(path):len(path)], "namespaces", namespace)
	}
	path = append(path[:len(path):len(path)], at.name, w.Name)
	question := "metadata:" + at.name + "/" + namespace + "/" + w.Name
	if w.Keys {
		question = "keys:" + at.name + "/" + namespace + "/" + w.Name
	}
	answer, err := j.ask(j.small, at.name, question, func(ctx context.Context) (any, error) {
		request := j.client.RESTClient().Get().AbsPath(path...)
		if !w.Keys {
			request = request.SetHeader("Accept", onlyMetadata)
		} else {
			request = request.SetHeader("Accept", "application/json")
		}
		raw, err := body(request.Do(ctx))
		if err != nil || !w.Keys {
			return sets.Set[string](nil), err
		}
		return keyNames(raw)
	})
	switch {
	case notThere(err):
		return validators.Found{}
	case err != nil:
		return validators.Found{Err: err}
	}
	return validators.Found{Exists: true, Keys: answer.(sets.Set[string])}
}

// body is what the API server has answered. Its own words of an error are read from the answer, so that they can be told
// from those of anything that stands in its place.
func body(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}

// keyNames returns what the keys of a Secret or a ConfigMap are called, and wipes the object.
func keyNames(raw []byte) (sets.Set[string], error) {
	defer clear(raw)
	var object struct {
		Data       map[string]passedOver `json:"data"`
		BinaryData map[string]passedOver `json:"binaryData"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, &unreadable{err}
	}
	return sets.KeySet(object.Data).Union(sets.KeySet(object.BinaryData)), nil
}

// passedOver is a value that is not even read.
type passedOver struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (*passedOver) UnmarshalJSON([]byte) error { return nil }
