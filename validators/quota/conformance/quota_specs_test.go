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

// TestQuotaSpecs submits random ResourceQuotas, many of which the API server refuses, and updates of ResourceQuotas, and
// compares the API server's answers with ours.
func TestQuotaSpecs(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(*seed, 0))}
	createIfAbsent(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "specs"}})
	refused, scopeChanges := 0, 0
	for i := range 3000 {
		spec := g.unvalidatedQuotaSpec()
		q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "specs", Name: "quota"}, Spec: spec}
		err := admin.Create(t.Context(), q, client.DryRunAll)
		specErrors := quota.ValidateSpec(&spec, field.NewPath("spec"), minor)
		if diff := specErrorDiff(specErrors, err); diff != "" {
			t.Errorf("%s\n%s", diff, toYAML(t, spec))
		}
		if err != nil {
			refused++
			continue
		}
		if i%10 != 0 {
			continue
		}
		// Update it to another valid spec.
		q = &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "specs", Name: fmt.Sprintf("quota-%d", i)}, Spec: spec}
		if err := admin.Create(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		q.Spec = g.quotaSpec()
		if len(quota.ValidateSpec(&q.Spec, field.NewPath("spec"), minor)) > 0 {
			continue
		}
		changes := quota.ChangesScopes(&spec, &q.Spec)
		if err := admin.Update(t.Context(), q, client.DryRunAll); apierrors.IsInvalid(err) != changes {
			t.Errorf("ChangesScopes is %v, but the API server says %v\n%s\n%s", changes, err, toYAML(t, spec), toYAML(t, q.Spec))
		}
		if changes {
			scopeChanges++
		}
	}
	t.Logf("Kubernetes 1.%d, seed %d: %d of 3000 quotas refused, %d changes of scopes", minor, *seed, refused, scopeChanges)
	if refused < 500 || refused > 2500 || scopeChanges < 20 {
		t.Error("the generator does not cover refusals, valid quotas and scope changes well enough")
	}
}

// specErrorDiff describes how our errors differ from the causes in the API server's answer. It returns "" if they don't. The API
// server's paths are less exact, and its messages about operators are longer.
func specErrorDiff(specErrors []quota.SpecError, err error) string {
	if err != nil && !apierrors.IsInvalid(err) {
		return fmt.Sprintf("the API server failed: %v", err)
	}
	ours, theirs := sets.New[string](), sets.New[string]()
	for _, e := range specErrors {
		path := indexPattern.ReplaceAllString(e.Path.String(), "")
		if e.Message == "unsupported scope applied to resource" {
			path = strings.TrimSuffix(path, ".scopeName")
		}
		ours.Insert(path + ": " + conditionPattern.ReplaceAllString(e.Message, ""))
	}
	if err != nil {
		for _, c := range err.(apierrors.APIStatus).Status().Details.Causes {
			theirs.Insert(c.Field + ": " + conditionPattern.ReplaceAllString(olderWording.Replace(trimValue(c.Message)), ""))
		}
	}
	if d := ours.SymmetricDifference(theirs); d.Len() > 0 {
		return fmt.Sprintf("errors of one side only: %q (ours: %q)", sets.List(d), sets.List(ours))
	}
	return ""
}

// olderWording translates the messages of older API servers: about names up to 1.34, about operators up to 1.30.
var olderWording = strings.NewReplacer(
	"a qualified name must", "a valid label key must",
	"no more than 63 characters", "no more than 63 bytes",
	"'Exist' when", "'Exists' when",
)

var (
	indexPattern     = regexp.MustCompile(`\[\d+\]`)
	conditionPattern = regexp.MustCompile(` when (scope|.?operator).*`)
)

func toYAML(t *testing.T, spec corev1.ResourceQuotaSpec) []byte {
	t.Helper()
	out, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
