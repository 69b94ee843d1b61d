package lookup

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// SecretSources implements validators.Facts. It lists the objects of those kinds whose API groups the cluster serves. In a cluster without
// such groups it needs one request, for the list of API groups.
func (f Facts) SecretSources(namespace string) ([]validators.SecretSource, error) {
	if len(validation.IsDNS1123Label(namespace)) > 0 {
		return nil, errors.New("no namespace can have that name")
	}
	groups, err := f.apiGroups()
	if err != nil {
		return nil, fmt.Errorf("which objects create Secrets could not be determined: %w", err)
	}
	var lock sync.Mutex
	var sources []validators.SecretSource
	var failures []string
	var group errgroup.Group
	group.SetLimit(maxConcurrentPerSession)
	for _, kind := range slices.Concat(validators.SecretSourceKinds, f.client.options.SecretSources) {
		versions, ok := groups[kind.Group]
		if !ok {
			continue
		}
		group.Go(func() error {
			found, err := f.secretSources(kind, versions, namespace)
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				failures = append(failures, fmt.Sprintf("%s.%s: %v", kind.Resource, kind.Group, err))
			}
			sources = append(sources, found...)
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	if len(failures) > 0 {
		slices.Sort(failures)
		return sources, errors.New("objects that may create it could not be listed: " + strings.Join(failures, "; "))
	}
	return sources, nil
}

// apiGroups returns the versions of each API group of the cluster, the preferred one first.
func (f Facts) apiGroups() (map[string][]string, error) {
	found, err := f.get(lookup{
		resource: "apigroups", path: []string{"apis"}, form: "groups", wholeObject: true,
		kind: metav1.TypeMeta{APIVersion: "v1", Kind: "APIGroupList"},
		decode: func(raw []byte) (any, error) {
			list, err := decodeAs[metav1.APIGroupList](raw)
			if err != nil {
				return nil, err
			}
			groups := map[string][]string{}
			for _, g := range list.Groups {
				versions := []string{g.PreferredVersion.Version}
				for _, v := range g.Versions {
					if v.Version != g.PreferredVersion.Version {
						versions = append(versions, v.Version)
					}
				}
				groups[g.Name] = versions
			}
			return groups, nil
		},
	})
	switch {
	case isNotFound(err):
		return nil, errors.New("the API server does not list its API groups")
	case err != nil:
		return nil, err
	}
	return found.(map[string][]string), nil
}

// secretSources lists the objects of one kind in a namespace, in the first version of the group that has the kind. It returns none if no
// version has it.
func (f Facts) secretSources(kind validators.SecretSourceKind, versions []string, namespace string) ([]validators.SecretSource, error) {
	for _, version := range versions {
		meta := metav1.TypeMeta{APIVersion: kind.Group + "/" + version, Kind: kind.Kind + "List"}
		found, err := f.get(lookup{
			resource: "secretsources", path: apiPath(meta, namespace, kind.Resource), form: "sources", kind: meta,
			decode: func(raw []byte) (any, error) { return decodeSecretSources(kind, raw) },
		})
		switch {
		case isNotFound(err):
			continue
		case err != nil:
			return nil, err
		}
		return found.([]validators.SecretSource), nil
	}
	return nil, nil
}

// decodeSecretSources decodes a list of objects of a kind.
func decodeSecretSources(kind validators.SecretSourceKind, raw []byte) (any, error) {
	var list struct {
		Items []map[string]any `json:"items"`
	}
	if err := kjson.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	sources := []validators.SecretSource{}
	for _, item := range list.Items {
		sources = append(sources, kind.Source(item))
	}
	return sources, nil
}
