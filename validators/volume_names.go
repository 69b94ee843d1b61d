package validators

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// judgeVolumeNames finds Secrets with names that a volume can't have. KFP, and Argo for the credentials of artifacts, name the volume after
// the Secret. The API server refuses every pod with such a volume.
func judgeVolumeNames(pods []forecast.Pod) []Finding {
	var out []Finding
	index := map[string]int{}
	steps := map[string]*orderedSet{}
	for i := range pods {
		pod := &pods[i]
		for _, v := range pod.Spec.Volumes {
			if v.Secret == nil || v.Name != v.Secret.SecretName || forecast.HasTag(v.Name) {
				continue
			}
			reasons := validation.IsDNS1123Label(v.Name)
			if len(reasons) == 0 || len(validation.IsDNS1123Subdomain(v.Name)) > 0 {
				continue // a name that no Secret can have is reported as missing
			}
			at, ok := index[v.Name]
			if !ok {
				at = len(out)
				index[v.Name], steps[v.Name] = at, &orderedSet{}
				out = append(out, Finding{
					Rule: WorkflowSecretMissing, Type: metav1.CauseTypeFieldValueInvalid, Field: pod.VolumePath(v.Name, child("name")).String(),
					Pod: pod.DryRun(withPlaceholders(pod)),
					Fix: fmt.Sprintf("copy Secret '%s' to a Secret whose name has no dots and at most 63 characters, and use that", v.Name),
					Outcome: fmt.Sprintf("The API server refuses the pod (spec.volumes.name: Invalid value: '%s': %s)",
						v.Name, withoutRegex(reasons[0])),
				})
			}
			out[at].Certainty = max(out[at].Certainty, min(podCertainty(pod), pod.Origin.EndsRun))
			steps[v.Name].add(pod.Origin.Steps...)
		}
	}
	for name, at := range index {
		out[at].Problem = fmt.Sprintf("%s %s it in a volume that is named after it",
			capitalize(plural("step", steps[name].list)), verb(len(steps[name].list), "mounts", "mount"))
	}
	return out
}
