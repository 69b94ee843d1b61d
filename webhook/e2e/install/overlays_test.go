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

// allComponents are the components that work with any overlay.
var allComponents = []string{"monitoring", "audit", "events", "fail-closed", "dry-run", "secret-sources"}

// TestOverlays installs and removes each overlay as an admin would, alone and with every component. It checks that the webhook's
// ServiceAccount has exactly the expected permissions.
func TestOverlays(t *testing.T) {
	tc := newTestCluster(t)
	tc.applyCRDs("github.com/cert-manager/cert-manager", "deploy/crds")
	tc.applyCRDs("github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd")
	overlays, err := os.ReadDir(filepath.Join(repoRoot, "manifests", "overlays"))
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range overlays {
		for _, components := range [][]string{nil, allComponents} {
			t.Run(overlay.Name()+"+"+strings.Join(components, "+"), func(t *testing.T) {
				tc.writeFile("deploy/kustomization.yaml", kustomization(overlay.Name(), components...))
				if out, err := tc.shell("kubectl apply --server-side --validate=strict --warnings-as-errors -k deploy"); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				want := slices.Clone(wantPermissions["base"])
				for _, part := range append([]string{overlay.Name()}, components...) {
					want = append(want, wantPermissions[part]...)
				}
				slices.Sort(want)
				want = slices.Compact(want)
				if got := tc.permissions(t); !slices.Equal(got, want) {
					t.Errorf("the ServiceAccount may\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				// To apply the same objects again changes nothing.
				if out, err := tc.shell("kubectl diff --server-side -k deploy"); err != nil {
					t.Errorf("%v\n%s", err, out)
				}
				if out, err := tc.shell("kubectl delete --timeout=90s -k deploy"); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		}
	}
}

// wantPermissions are the permissions of the webhook's ServiceAccount, by the overlay or component that grants them.
var wantPermissions = map[string][]string{
	"base": {
		"get secrets", "list limitranges", "list resourcequotas", "get persistentvolumeclaims", "get configmaps", "get serviceaccounts",
		"get namespaces",
		"get priorityclasses.scheduling.k8s.io", "list priorityclasses.scheduling.k8s.io",
		"get workflowtemplates.argoproj.io", "get clusterworkflowtemplates.argoproj.io",
	},
	"self-signed": {
		"update secrets kfp-preflight-ca",
		"get validatingwebhookconfigurations.admissionregistration.k8s.io kfp-preflight",
		"update validatingwebhookconfigurations.admissionregistration.k8s.io kfp-preflight",
	},
	"dry-run":        {"create pods"},
	"secret-sources": {"list certificates.cert-manager.io"}, // the only such kind in the test cluster
	"cert-manager":   {"list certificates.cert-manager.io"},
	"kubeflow":       {"list certificates.cert-manager.io"},
	"events":         {"create events", "patch events"},
	"monitoring":     {"create tokenreviews.authentication.k8s.io", "create subjectaccessreviews.authorization.k8s.io"},
}

// permissions returns what the webhook's ServiceAccount may do and an ordinary ServiceAccount may not, as VERB RESOURCE or VERB
// RESOURCE NAME. It asks the authorizer about each verb on each resource of the API server, for all objects and for those that
// belong to kfp-preflight.
func (tc *testCluster) permissions(t *testing.T) []string {
	t.Helper()
	_, lists, err := tc.api.Discovery().ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	var lock sync.Mutex
	allowed := map[string]bool{}
	var group errgroup.Group
	group.SetLimit(16)
	for _, list := range lists {
		apiGroup, version, _ := strings.Cut(list.GroupVersion, "/")
		if version == "" {
			apiGroup = ""
		}
		for _, resource := range list.APIResources {
			name, subresource, _ := strings.Cut(resource.Name, "/")
			for _, verb := range verbs {
				for _, object := range []string{"", "kfp-preflight", "kfp-preflight-ca"} {
					group.Go(func() error {
						attributes := authorizationv1.ResourceAttributes{
							Verb: verb, Group: apiGroup, Resource: name, Subresource: subresource, Name: object, Namespace: "kfp-preflight",
						}
						ok, err := tc.isAllowed(t, "system:serviceaccount:kfp-preflight:kfp-preflight", attributes)
						if err != nil || !ok {
							return err
						}
						if ok, err = tc.isAllowed(t, "system:serviceaccount:default:default", attributes); err != nil || ok {
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
	// A permission for all objects includes each single object.
	maps.DeleteFunc(allowed, func(key string, _ bool) bool {
		parts := strings.Fields(key)
		return len(parts) == 3 && allowed[fmt.Sprint(parts[0], " ", parts[1])]
	})
	return slices.Sorted(maps.Keys(allowed))
}

var verbs = []string{
	"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "bind", "escalate", "approve", "sign",
}

// isAllowed asks the authorizer whether a ServiceAccount may do something.
func (tc *testCluster) isAllowed(t *testing.T, user string, attributes authorizationv1.ResourceAttributes) (bool, error) {
	review, err := tc.api.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, Groups: []string{"system:authenticated", "system:serviceaccounts"}, ResourceAttributes: &attributes,
		},
	}, metav1.CreateOptions{})
	return err == nil && review.Status.Allowed, err
}
