package conformance

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// secrets are those of a namespace: the names of their keys, by name.
type secrets map[string]sets.Set[string]

// world is a cluster in which everything is there but what its secrets say.
type world struct {
	facts
	secrets secrets
}

// LimitRanges implements validators.Facts.
func (world) LimitRanges(string) ([]corev1.LimitRange, error) { return nil, nil }

// Look implements validators.Facts.
func (w world) Look(_ string, wanted []validators.Wanted) map[validators.Object]validators.Found {
	out := map[validators.Object]validators.Found{}
	for _, o := range wanted {
		keys, ok := w.secrets[o.Name]
		out[o.Object] = validators.Found{Exists: ok || o.Kind != validators.Secret, Keys: keys}
	}
	return out
}

// starves says what the kubelet would wait for before it starts a pod; empty if it would start. It is written from the
// kubelet's rules, not from ours.
func starves(pod *corev1.Pod, have secrets) string {
	lacks := func(name, key string, optional *bool) string {
		keys, ok := have[name]
		switch {
		case isTrue(optional), ok && (key == "" || keys.Has(key)):
			return ""
		case ok:
			return fmt.Sprintf("key %s of Secret %s", key, name)
		}
		return "Secret " + name
	}
	var wants []string
	mounted := sets.New[string]()
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, e := range c.EnvFrom {
			if s := e.SecretRef; s != nil {
				wants = append(wants, lacks(s.Name, "", s.Optional))
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				s := e.ValueFrom.SecretKeyRef
				wants = append(wants, lacks(s.Name, s.Key, s.Optional))
			}
		}
		for _, m := range c.VolumeMounts {
			mounted.Insert(m.Name)
		}
	}
	volume := func(name string, items []corev1.KeyToPath, optional *bool) {
		wants = append(wants, lacks(name, "", optional))
		for _, item := range items {
			wants = append(wants, lacks(name, item.Key, optional))
		}
	}
	for _, v := range pod.Spec.Volumes {
		switch {
		case !mounted.Has(v.Name):
		case v.Secret != nil:
			volume(v.Secret.SecretName, v.Secret.Items, v.Secret.Optional)
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				if s := source.Secret; s != nil {
					volume(s.Name, s.Items, s.Optional)
				}
			}
		}
	}
	for _, want := range wants {
		if want != "" {
			return want
		}
	}
	return ""
}

// everything are all Secrets, with all keys, that pods speak of.
func everything(pods []corev1.Pod) secrets {
	all := secrets{}
	for i := range pods {
		for have := (secrets{}); ; {
			var name, key string
			want := starves(&pods[i], have)
			switch {
			case want == "":
				for name, keys := range have {
					if all[name] == nil {
						all[name] = sets.New[string]()
					}
					all[name] = all[name].Union(keys)
				}
			default:
				if _, err := fmt.Sscanf(want, "key %s of Secret %s", &key, &name); err == nil {
					have[name].Insert(key)
				} else if _, err := fmt.Sscanf(want, "Secret %s", &name); err == nil {
					have[name] = sets.New[string]()
				}
				continue
			}
			break
		}
	}
	return all
}

// worlds are the states of a namespace that pods are tried in, by what is missing.
func worlds(all secrets) map[string]secrets {
	out := map[string]secrets{"nothing": all, "every Secret": {}}
	for name, keys := range all {
		without := maps.Clone(all)
		delete(without, name)
		out["Secret "+name] = without
		for key := range keys {
			fewer := maps.Clone(all)
			fewer[name] = keys.Clone().Delete(key)
			out["key "+key+" of Secret "+name] = fewer
		}
	}
	return out
}

// truth counts how the verdicts compare with what the pods of Argo's controller would meet.
type truth struct {
	verdicts, denied, missed int
	reasons                  map[string]int // of what was missed
}

// compare judges a Workflow that has run to its end in every world of its pods.
func (c *truth) compare(t *testing.T, file string, wf *wfv1.Workflow, f facts, created []corev1.Pod) {
	created = slices.DeleteFunc(slices.Clone(created), func(p corev1.Pod) bool {
		return p.Labels["workflows.argoproj.io/component"] == "artifact-gc" // after the run
	})
	fc := forecast.Workflow(wf, f)
	all := everything(created)
	for _, h := range fc.Headers {
		all[h.Secret] = sets.New(h.Key) // no pod shows what the agent reads
	}
	for missing, have := range worlds(all) {
		var starving string
		for i := range created {
			if starving = starves(&created[i], have); starving != "" {
				break
			}
		}
		findings := validators.JudgeWorkflow(wf, world{f, have}, func(rule string) bool { return rule == validators.WorkflowSecretMissing })
		denied := slices.ContainsFunc(findings, func(f validators.Finding) bool { return f.Certainty == forecast.Certain })
		c.verdicts++
		switch {
		case denied && starving == "":
			t.Errorf("%s without %s: denied, and every pod starts: %s", file, missing, findings[0].Message())
		case denied:
			c.denied++
		case starving != "":
			c.missed++
			reason := undecidable(&fc, findings)
			if reason == "" {
				t.Errorf("%s without %s: let in, and a pod waits for %s", file, missing, starving)
			}
			c.reasons[reason]++
		}
	}
}

// undecidable says why admission could not know better; empty if it could.
func undecidable(fc *forecast.Forecast, findings []validators.Finding) string {
	if len(findings) > 0 {
		return "warned: the step may never run, or may have what it needs by then"
	}
	for i := range fc.Pods {
		for _, use := range validators.Uses(&fc.Pods[i]) {
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
