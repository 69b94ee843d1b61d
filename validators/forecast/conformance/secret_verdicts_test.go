package conformance

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// secretKeys are the Secrets of a namespace: the names of their keys, by name of the Secret.
type secretKeys map[string]sets.Set[string]

// secretFacts are the facts of a cluster in which every object exists, except for Secrets that are
// not listed.
type secretFacts struct {
	clusterFacts
	secrets secretKeys
}

// ForRule implements validators.Facts.
func (s secretFacts) ForRule(string) validators.Facts { return s }

// SecretSources implements validators.Facts.
func (secretFacts) SecretSources(string) ([]validators.SecretSource, error) { return nil, nil }

// NamespaceIsNew implements validators.Facts.
func (secretFacts) NamespaceIsNew(string) (bool, error) { return false, nil }

// LimitRanges implements validators.Facts.
func (secretFacts) LimitRanges(string) ([]corev1.LimitRange, error) { return nil, nil }

// ResourceQuotas implements validators.Facts.
func (secretFacts) ResourceQuotas(string) ([]corev1.ResourceQuota, error) { return nil, nil }

// PriorityClasses implements validators.Facts.
func (secretFacts) PriorityClasses() ([]schedulingv1.PriorityClass, error) { return nil, nil }

// ServerVersion implements validators.Facts.
func (secretFacts) ServerVersion() (string, error) { return "", errors.New("not used") }

// CheckObjects implements validators.Facts.
func (w secretFacts) CheckObjects(_ string, wanted []validators.ObjectQuery) map[validators.ObjectRef]validators.ObjectStatus {
	out := map[validators.ObjectRef]validators.ObjectStatus{}
	for _, o := range wanted {
		keys, ok := w.secrets[o.Name]
		out[o.ObjectRef] = validators.ObjectStatus{Exists: ok || o.Kind != validators.Secret, Keys: keys}
	}
	return out
}

// requirement is a Secret, or a key of one, that the kubelet requires.
type requirement struct{ name, key string }

// String returns the requirement for messages.
func (w requirement) String() string {
	if w.key == "" {
		return "Secret " + w.name
	}
	return fmt.Sprintf("key %s of Secret %s", w.key, w.name)
}

// requirements returns what the kubelet requires to start a pod. It implements the kubelet's rules
// independently of the validators package.
func requirements(pod *corev1.Pod) []requirement {
	var out []requirement
	add := func(optional *bool, name string, keys ...string) {
		if isTrue(optional) {
			return
		}
		out = append(out, requirement{name: name})
		for _, key := range keys {
			out = append(out, requirement{name, key})
		}
	}
	mounted := sets.New[string]()
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, e := range c.EnvFrom {
			if s := e.SecretRef; s != nil {
				add(s.Optional, s.Name)
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				s := e.ValueFrom.SecretKeyRef
				add(s.Optional, s.Name, s.Key)
			}
		}
		for _, m := range c.VolumeMounts {
			mounted.Insert(m.Name)
		}
	}
	keys := func(items []corev1.KeyToPath) (keys []string) {
		for _, item := range items {
			keys = append(keys, item.Key)
		}
		return keys
	}
	for _, v := range pod.Spec.Volumes {
		switch {
		case !mounted.Has(v.Name):
		case v.Secret != nil:
			add(v.Secret.Optional, v.Secret.SecretName, keys(v.Secret.Items)...)
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if s := source.Secret; s != nil {
					add(s.Optional, s.Name, keys(s.Items)...)
				}
			}
		case v.CSI != nil && v.CSI.NodePublishSecretRef != nil:
			add(nil, v.CSI.NodePublishSecretRef.Name)
		case v.AzureFile != nil:
			add(nil, v.AzureFile.SecretName)
		case v.FlexVolume != nil && v.FlexVolume.SecretRef != nil:
			add(nil, v.FlexVolume.SecretRef.Name)
		case v.ISCSI != nil && v.ISCSI.SecretRef != nil && (v.ISCSI.SessionCHAPAuth || v.ISCSI.DiscoveryCHAPAuth):
			add(nil, v.ISCSI.SecretRef.Name)
		}
	}
	return out
}

// firstMissing returns the first requirement of a pod that is not met, or an empty string if the
// pod would start.
func firstMissing(pod *corev1.Pod, have secretKeys) string {
	for _, w := range requirements(pod) {
		if keys, ok := have[w.name]; !ok || w.key != "" && !keys.Has(w.key) {
			return w.String()
		}
	}
	return ""
}

// allRequired returns all Secrets and keys that pods require.
func allRequired(pods []corev1.Pod) secretKeys {
	all := secretKeys{}
	for i := range pods {
		for _, w := range requirements(&pods[i]) {
			if all[w.name] == nil {
				all[w.name] = sets.New[string]()
			}
			if w.key != "" {
				all[w.name].Insert(w.key)
			}
		}
	}
	return all
}

// missingOne returns the sets of Secrets to test pods with, by what is missing: the given set, the
// empty set, and for each Secret and each key the given set without it.
func missingOne(all secretKeys) map[string]secretKeys {
	out := map[string]secretKeys{"nothing": all, "every Secret": {}}
	for name, keys := range all {
		without := maps.Clone(all)
		delete(without, name)
		out[requirement{name: name}.String()] = without
		for key := range keys {
			fewer := maps.Clone(all)
			fewer[name] = keys.Clone().Delete(key)
			out[requirement{name, key}.String()] = fewer
		}
	}
	return out
}

// verdicts counts how verdicts compare with what would happen to the pods.
type verdicts struct {
	total, denied, missed int
	reasons               map[string]int // of what was missed
}

// compare judges a Workflow that has completed, with each set of Secrets from missingOne. A denial
// is wrong if all of the created pods would start.
func (c *verdicts) compare(t *testing.T, file string, wf *wfv1.Workflow, f clusterFacts, created []corev1.Pod) {
	created = slices.DeleteFunc(slices.Clone(created), func(p corev1.Pod) bool {
		return p.Labels["workflows.argoproj.io/component"] == "artifact-gc" // runs after the Workflow
	})
	fc := forecast.Workflow(wf, f, forecast.Options{})
	all := allRequired(created)
	for _, h := range fc.HeaderSecrets {
		all[h.Secret] = sets.New(h.Key) // the agent reads these, so they are in no pod
	}
	for missing, have := range missingOne(all) {
		var waitsFor string
		for i := range created {
			if waitsFor = firstMissing(&created[i], have); waitsFor != "" {
				break
			}
		}
		findings := validators.JudgeWorkflow(wf, secretFacts{f, have}, validators.Options{},
			func(rule string) bool { return rule == validators.WorkflowSecretMissing })
		denied := slices.ContainsFunc(findings, func(f validators.Finding) bool { return f.Certainty == forecast.Certain })
		c.total++
		switch {
		case denied && waitsFor == "":
			t.Errorf("%s without %s: denied, but every pod would start: %s", file, missing, findings[0].Message())
		case denied:
			c.denied++
		case waitsFor != "":
			c.missed++
			reason := undecidableReason(&fc, findings)
			if reason == "" {
				t.Errorf("%s without %s: allowed, but a pod would wait for %s", file, missing, waitsFor)
			}
			c.reasons[reason]++
		}
	}
}

// undecidableReason returns why a missing Secret could not be detected at admission, or an empty
// string if it could.
func undecidableReason(fc *forecast.Forecast, findings []validators.Finding) string {
	if len(findings) > 0 {
		return "warned: the step may never run, or may have what it needs by then"
	}
	for i := range fc.Pods {
		for _, use := range validators.Dependencies(&fc.Pods[i]) {
			if forecast.HasTag(use.Name) || slices.ContainsFunc(use.Keys, forecast.HasTag) {
				return "a name that is known only at run time"
			}
		}
		if fc.Pods[i].Unknown != "" {
			return "a patch that is known only at run time"
		}
	}
	if len(fc.Created) > 0 {
		return "the Workflow creates it"
	}
	return ""
}
