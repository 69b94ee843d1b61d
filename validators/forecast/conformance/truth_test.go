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

// secretKeys are those of a namespace: the names of their keys, by name.
type secretKeys map[string]sets.Set[string]

// secretFacts is a cluster in which everything is there but what its secrets say.
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
func (secretFacts) ServerVersion() (string, error) { return "", errors.New("not of interest") }

// Look implements validators.Facts.
func (w secretFacts) CheckObjects(_ string, wanted []validators.ObjectQuery) map[validators.ObjectRef]validators.ObjectStatus {
	out := map[validators.ObjectRef]validators.ObjectStatus{}
	for _, o := range wanted {
		keys, ok := w.secrets[o.Name]
		out[o.ObjectRef] = validators.ObjectStatus{Exists: ok || o.Kind != validators.Secret, Keys: keys}
	}
	return out
}

// requirement is a Secret, or a key of one, that the kubelet insists on.
type requirement struct{ name, key string }

// String is the want for a reader.
func (w requirement) String() string {
	if w.key == "" {
		return "Secret " + w.name
	}
	return fmt.Sprintf("key %s of Secret %s", w.key, w.name)
}

// requirements are what the kubelet insists on before it starts a pod. They are written from the kubelet's rules, not from ours.
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

// firstMissing says what a pod would wait for; empty if it would start.
func firstMissing(pod *corev1.Pod, have secretKeys) string {
	for _, w := range requirements(pod) {
		if keys, ok := have[w.name]; !ok || w.key != "" && !keys.Has(w.key) {
			return w.String()
		}
	}
	return ""
}

// allRequired are all Secrets, with all keys, that pods insist on.
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

// missingOne are the states of a namespace that pods are tried in, by what is missing.
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

// verdicts counts how the verdicts compare with what the pods of Argo's controller would meet.
type verdicts struct {
	total, denied, missed int
	reasons               map[string]int // of what was missed
}

// compareSecretVerdicts judges a Workflow that has run to its end in every world of its pods.
func (c *verdicts) compareSecretVerdicts(t *testing.T, file string, wf *wfv1.Workflow, f clusterFacts, created []corev1.Pod) {
	created = slices.DeleteFunc(slices.Clone(created), func(p corev1.Pod) bool {
		return p.Labels["workflows.argoproj.io/component"] == "artifact-gc" // after the run
	})
	fc := forecast.Workflow(wf, f, forecast.Options{})
	all := allRequired(created)
	for _, h := range fc.HeaderSecrets {
		all[h.Secret] = sets.New(h.Key) // no pod shows what the agent reads
	}
	for missing, have := range missingOne(all) {
		var waitsFor string
		for i := range created {
			if waitsFor = firstMissing(&created[i], have); waitsFor != "" {
				break
			}
		}
		findings := validators.JudgeWorkflow(wf, secretFacts{f, have}, validators.Options{}, func(rule string) bool { return rule == validators.WorkflowSecretMissing })
		denied := slices.ContainsFunc(findings, func(f validators.Finding) bool { return f.Certainty == forecast.Certain })
		c.total++
		switch {
		case denied && waitsFor == "":
			t.Errorf("%s without %s: denied, and every pod starts: %s", file, missing, findings[0].Message())
		case denied:
			c.denied++
		case waitsFor != "":
			c.missed++
			reason := undecidableReason(&fc, findings)
			if reason == "" {
				t.Errorf("%s without %s: let in, and a pod waits for %s", file, missing, waitsFor)
			}
			c.reasons[reason]++
		}
	}
}

// undecidableReason says why admission could not know better; empty if it could.
func undecidableReason(fc *forecast.Forecast, findings []validators.Finding) string {
	if len(findings) > 0 {
		return "warned: the step may never run, or may have what it needs by then"
	}
	for i := range fc.Pods {
		for _, use := range validators.Dependencies(&fc.Pods[i]) {
			if forecast.HasTag(use.Name) || slices.ContainsFunc(use.Keys, forecast.HasTag) {
				return "a name that only the run gives"
			}
		}
		if fc.Pods[i].Unknown != "" {
			return "a patch that only the run gives"
		}
	}
	if len(fc.Created) > 0 {
		return "the Workflow makes it"
	}
	return ""
}
