package validators

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// neverCountedNames warns about names that the API server accepts in a quota but never counts anything under.
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
		out = append(out, Finding{
			Rule: ProfileQuotaCompute, Certainty: Possible, Type: metav1.CauseTypeFieldValueInvalid,
			Field:   fmt.Sprintf("%s[%s]", profileHard, name),
			Fix:     fmt.Sprintf("set requests.%s instead of %s", quota.ComputeResource(name), name),
			Problem: "Kubernetes counts nothing under that name",
			Outcome: "Pods can use as much of it as there is",
		})
	}
	return out
}

// tooSmallForDriver warns about a quota that is too small for a single driver of KFP v2.
func tooSmallForDriver(change ProfileChange, e evaluation) []Finding {
	var needs []string
	var first corev1.ResourceName
	for _, excess := range e.excesses {
		if change.Old != nil {
			if before, ok := change.Old.Spec.ResourceQuotaSpec.Hard[excess.Resource]; ok && before.Cmp(excess.Hard) <= 0 {
				continue // it was no larger before
			}
		}
		if first == "" {
			first = excess.Resource
		}
		needs = append(needs, fmt.Sprintf("%s of %s (the quota has %s)", &excess.Requested, excess.Resource, &excess.Hard))
	}
	if len(needs) == 0 {
		return nil
	}
	return []Finding{{
		Rule: ProfileQuotaCompute, Certainty: Possible, Type: metav1.CauseTypeFieldValueInvalid,
		Field:   fmt.Sprintf("%s[%s]", profileHard, first),
		Fix:     "allow at least " + inWords(needs) + ", and more for the steps",
		Problem: "A single driver of KFP v2 needs that much",
		Outcome: "Runs of KFP v2 wait without end",
	}}
}
