package conformance

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// TestSpecs asks the API server about ResourceQuotas, a good part of which it refuses, as new ones and as changes of one that
// is there.
func TestSpecs(t *testing.T) {
	r := random{rand.New(rand.NewPCG(*seed, 0))}
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "specs"}})
	refused, stuck := 0, 0
	for i := range 3000 {
		spec := r.brokenSpec()
		q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "specs", Name: "quota"}, Spec: spec}
		err := admin.Create(t.Context(), q, client.DryRunAll)
		problems := quota.ValidateSpec(&spec, field.NewPath("spec"), minor)
		if why := differ(problems, err); why != "" {
			t.Errorf("%s\n%s", why, text(t, spec))
		}
		if err != nil {
			refused++
			continue
		}
		if i%10 != 0 {
			continue
		}
		// Change it into another one that could be new.
		q = &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "specs", Name: fmt.Sprintf("quota-%d", i)}, Spec: spec}
		if err := admin.Create(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		q.Spec = r.quotaSpec()
		if len(quota.ValidateSpec(&q.Spec, field.NewPath("spec"), minor)) > 0 {
			continue
		}
		changes := quota.ChangesScopes(&spec, &q.Spec)
		if err := admin.Update(t.Context(), q, client.DryRunAll); apierrors.IsInvalid(err) != changes {
			t.Errorf("that the scopes change is %v, and the API server says %v\n%s\n%s", changes, err, text(t, spec), text(t, q.Spec))
		}
		if changes {
			stuck++
		}
	}
	t.Logf("Kubernetes 1.%d, seed %d: %d of 3000 quotas refused, %d changes of scopes", minor, *seed, refused, stuck)
	if refused < 500 || refused > 2500 || stuck < 20 {
		t.Error("the generator misses something")
	}
}

// differ says how the problems that were found and the causes that the API server gives differ; empty if they don't. The API
// server's places are less exact, and it explains more about operators.
func differ(problems []quota.SpecProblem, err error) string {
	if err != nil && !apierrors.IsInvalid(err) {
		return fmt.Sprintf("the API server failed: %v", err)
	}
	ours, theirs := sets.New[string](), sets.New[string]()
	for _, p := range problems {
		at := index.ReplaceAllString(p.Path.String(), "")
		if p.Message == "unsupported scope applied to resource" {
			at = strings.TrimSuffix(at, ".scopeName")
		}
		ours.Insert(at + ": " + condition.ReplaceAllString(p.Message, ""))
	}
	if err != nil {
		for _, c := range err.(apierrors.APIStatus).Status().Details.Causes {
			theirs.Insert(c.Field + ": " + condition.ReplaceAllString(older.Replace(reason(c.Message)), ""))
		}
	}
	if d := ours.SymmetricDifference(theirs); d.Len() > 0 {
		return fmt.Sprintf("said by one only: %q (by us %q)", sets.List(d), sets.List(ours))
	}
	return ""
}

// older is what older API servers say instead of the same thing, up to 1.34 of names and up to 1.30 of operators.
var older = strings.NewReplacer("a qualified name must", "a valid label key must", "no more than 63 characters", "no more than 63 bytes", "'Exist' when", "'Exists' when")

var (
	index     = regexp.MustCompile(`\[\d+\]`)
	condition = regexp.MustCompile(` when (scope|.?operator).*`)
)

func text(t *testing.T, spec corev1.ResourceQuotaSpec) []byte {
	t.Helper()
	out, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
