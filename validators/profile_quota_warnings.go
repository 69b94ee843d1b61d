package validators

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// neverCountedNames warns of names that the API server takes and under which it never counts anything.
func neverCountedNames(change ProfileChange) []Finding {
	var out []Finding
	hard := change.New.Spec.ResourceQuotaSpec.Hard
	for _, name := range slices.Sorted(maps.Keys(hard)) {
		if !quota.NeverCounted(name) {
			continue
		}
		if change.Old != nil {
			if _, before := change.Old.Spec.ResourceQuotaSpec.Hard[name]; before {
				continue
			}
		}
		meant := "requests." + string(quota.ComputeResource(name))
		out = append(out, Finding{
			Rule: ProfileQuotaCompute, Certainty: Possible, Type: metav1.CauseTypeFieldValueInvalid, Field: fmt.Sprintf("%s[%s]", profileHard, name),
			Problem: fmt.Sprintf("the quota sets %s, under which Kubernetes counts nothing", name),
			Outcome: "pods would get as many as there are",
			Fix:     fmt.Sprintf("to fix, set %s", meant),
		})
	}
	return out
}

// tooSmallForDriver warns of a quota that no driver of KFP v2 fits into, even if nothing else runs.
func tooSmallForDriver(change ProfileChange, h evaluation) []Finding {
	var needs []string
	var first corev1.ResourceName
	for _, e := range h.excesses {
		if change.Old != nil {
			if before, ok := change.Old.Spec.ResourceQuotaSpec.Hard[e.Name]; ok && before.Cmp(e.Hard) <= 0 {
				continue // it was no better
			}
		}
		if first == "" {
			first = e.Name
		}
		needs = append(needs, fmt.Sprintf("%s of %s %s", &e.Needs, e.Name, "(allowed: "+e.Hard.String()+")"))
	}
	if len(needs) == 0 {
		return nil
	}
	return []Finding{{
		Rule: ProfileQuotaCompute, Certainty: Possible, Type: metav1.CauseTypeFieldValueInvalid, Field: fmt.Sprintf("%s[%s]", profileHard, first),
		Problem: "the quota is too small for a single driver of KFP v2, which needs " + strings.Join(needs, ", "),
		Outcome: "each run of KFP v2 would wait for ever",
		Fix:     "to fix, allow at least that, and more for the steps",
	}}
}
