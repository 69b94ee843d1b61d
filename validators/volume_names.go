package validators

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// judgeVolumeNames finds the Secrets that no volume can be named after, although Argo, for the credentials of artifacts, and
// KFP do so: the API server refuses every pod with such a volume.
func judgeVolumeNames(pods []forecast.Pod) []Finding {
	var out []Finding
	index := map[string]int{}
	steps := map[string][]string{}
	for i := range pods {
		pod := &pods[i]
		for _, v := range pod.Spec.Volumes {
			if v.Secret == nil || v.Name != v.Secret.SecretName || forecast.HasTag(v.Name) {
				continue
			}
			wrong := validation.IsDNS1123Label(v.Name)
			if len(wrong) == 0 || len(validation.IsDNS1123Subdomain(v.Name)) > 0 {
				continue // a name that no Secret can have is missing, and that is said
			}
			at, ok := index[v.Name]
			if !ok {
				at = len(out)
				index[v.Name] = at
				out = append(out, Finding{
					Rule: WorkflowSecretMissing, Type: metav1.CauseTypeFieldValueInvalid, Field: pod.VolumePath(v.Name, child("name")).String(),
					Outcome: fmt.Sprintf("the API server would refuse the pod (spec.volumes.name: Invalid value: '%s': %s)", v.Name, reasonWithoutRegex(wrong[0])),
					Fix:     "to fix, copy the Secret to one whose name has no dots and at most 63 characters, and use that",
				})
			}
			out[at].Certainty = max(out[at].Certainty, certaintyOf(pod))
			for _, s := range pod.Origin.Steps {
				if !slices.Contains(steps[v.Name], s) {
					steps[v.Name] = append(steps[v.Name], s)
				}
			}
		}
	}
	for name, at := range index {
		out[at].Problem = fmt.Sprintf("Secret '%s' can't be mounted by %s: a volume is named after it, and a volume's name has no dots and at most 63 characters",
			name, plural("step", steps[name]))
	}
	return out
}

// reasonWithoutRegex drops the regular expression that ends Kubernetes' words.
func reasonWithoutRegex(words string) string {
	words, _, _ = strings.Cut(words, " (e.g. ")
	return words
}
