package install

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// allComponents are the components that can be added to any overlay.
var allComponents = []string{"monitoring", "audit", "events", "fail-closed"}

// TestOverlays installs and removes each overlay, alone and with every component, as an admin would; and has the authorizer say all that the
// ServiceAccount may do then, of all that there is to do.
func TestOverlays(t *testing.T) {
	s := newTestCluster(t)
	s.applyCRDs("github.com/cert-manager/cert-manager", "deploy/crds")
	s.applyCRDs("github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd")
	overlays, err := os.ReadDir(filepath.Join(repoRoot, "manifests", "overlays"))
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		for _, components := range [][]string{nil, allComponents} {
			t.Run(overlay.Name()+"+"+strings.Join(components, "+"), func(t *testing.T) {
				s.writeFile("deploy/kustomization.yaml", kustomization(overlay.Name(), components...))
				if out, err := s.shell("kubectl apply --server-side --validate=strict --warnings-as-errors -k deploy"); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				want := slices.Clone(wantPermissions["base"])
				for _, part := range append([]string{overlay.Name()}, components...) {
					want = append(want, wantPermissions[part]...)
				}
				slices.Sort(want)
				if got := s.permissions(t); !slices.Equal(got, want) {
					t.Errorf("it may\n%s\nand should\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				// The same once more changes nothing.
				if out, err := s.shell("kubectl diff --server-side -k deploy"); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				if out, err := s.shell("kubectl delete --timeout=90s -k deploy"); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		}
	}
}

// wantPermissions are all that the webhook's ServiceAccount may do, by the part that brings them.
var wantPermissions = map[string][]string{
	"base": {
		"get secrets", "list limitranges", "list resourcequotas", "get persistentvolumeclaims", "get configmaps", "get serviceaccounts",
		"get priorityclasses.scheduling.k8s.io", "list priorityclasses.scheduling.k8s.io",
		"get workflowtemplates.argoproj.io", "get clusterworkflowtemplates.argoproj.io",
	},
	"self-signed": {
		"update secrets kfp-preflight-ca",
		"get validatingwebhookconfigurations.admissionregistration.k8s.io kfp-preflight",
		"update validatingwebhookconfigurations.admissionregistration.k8s.io kfp-preflight",
	},
	"events":     {"create events", "patch events"},
	"monitoring": {"create tokenreviews.authentication.k8s.io", "create subjectaccessreviews.authorization.k8s.io"},
}

// permissions asks the authorizer about each verb for each resource of the API server, also by the names that kfp-preflight's own objects have, and
// leaves out what everybody may.
func (s *testCluster) permissions(t *testing.T) []string {
	t.Helper()
	_, lists, err := s.api.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	var lock sync.Mutex
	allowed := map[string]bool{}
	var group errgroup.Group
	group.SetLimit(16)
	ask := func(user string, what authorizationv1.ResourceAttributes) (bool, error) {
		review, err := s.api.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{
				User: user, Groups: []string{"system:authenticated", "system:serviceaccounts"}, ResourceAttributes: &what,
			},
		}, metav1.CreateOptions{})
		return err == nil && review.Status.Allowed, err
	}
	for _, list := range lists {
		apiGroup, version, _ := strings.Cut(list.GroupVersion, "/")
		if version == "" {
			apiGroup = ""
		}
		for _, resource := range list.APIResources {
			name, sub, _ := strings.Cut(resource.Name, "/")
			for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "bind", "escalate", "approve", "sign"} {
				for _, object := range []string{"", "kfp-preflight", "kfp-preflight-ca"} {
					group.Go(func() error {
						what := authorizationv1.ResourceAttributes{Verb: verb, Group: apiGroup, Resource: name, Subresource: sub, Name: object, Namespace: "kfp-preflight"}
						may, err := ask("system:serviceaccount:kfp-preflight:kfp-preflight", what)
						if err != nil || !may {
							return err
						}
						if may, err = ask("system:serviceaccount:default:default", what); err != nil || may {
							return err
						}
						key := strings.TrimSuffix(verb+" "+resource.Name+"."+apiGroup, ".")
						lock.Lock()
						defer lock.Unlock()
						allowed[strings.TrimSpace(key+" "+object)] = true
						return nil
					})
				}
			}
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	// What may be done with all may be done with each.
	maps.DeleteFunc(allowed, func(key string, _ bool) bool {
		parts := strings.Fields(key)
		return len(parts) == 3 && allowed[fmt.Sprint(parts[0], " ", parts[1])]
	})
	return slices.Sorted(maps.Keys(allowed))
}
