// Package conformance compares forecasts with Argo's own workflow-controller. It submits Workflows
// to a real API server with a real controller, and compares the pods that the controller creates
// with those that were forecast. A fake kubelet completes the pods, so that later steps start.
package conformance

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// configurations are the controller configurations under which forecasts are compared.
var configurations = map[string]map[string]string{
	"upstream": {},
	"kubeflow": {
		"artifactRepository": `
archiveLogs: true
s3:
  endpoint: minio-service.kubeflow:9000
  bucket: mlpipeline
  keyFormat: "artifacts/{{workflow.name}}/{{pod.name}}"
  insecure: true
  accessKeySecret: {name: mlpipeline-minio-artifact, key: accesskey}
  secretKeySecret: {name: mlpipeline-minio-artifact, key: secretkey}
`,
	},
	"resources": {
		"executor": "resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {cpu: 100m}}\n" +
			"env: [{name: EXTRA, valueFrom: {secretKeyRef: {name: executor, key: extra}}}]\n",
		"mainContainer": "resources: {requests: {memory: 1Gi}}\nenvFrom: [{secretRef: {name: everybody}}]\n",
		"kubeConfig":    "secretName: kube\nsecretKey: config\n",
		"workflowDefaults": "spec:\n  podPriorityClassName: low\n  activeDeadlineSeconds: 86400\n" +
			"  templateDefaults: {container: {env: [{name: BY_DEFAULT, value: a}]}}\n",
	},
}

// TestConformance compares every Workflow of Argo's examples, of the project's test data, and of
// the directory in CORPUS.
func TestConformance(t *testing.T) {
	sources := loadCorpus(t)
	exceptions := readNotComparable(t)
	for name, configuration := range configurations {
		t.Run(name, func(t *testing.T) { compareUnder(t, configuration, sources, exceptions.forConfiguration(name)) })
	}
}

// compareUnder compares the Workflows of a corpus under one controller configuration. notComparable
// has the reasons for the exceptions, by file.
func compareUnder(t *testing.T, configuration map[string]string, sources corpus, notComparable map[string]string) {
	controller, err := forecast.ParseControllerConfig(configuration)
	if err != nil {
		t.Fatal(err)
	}
	withImages := map[string]string{"images": sources.imageCommands(t, controller)}
	for k, v := range configuration {
		withImages[k] = v
	}
	const namespace = "conformance"
	cp := startControlPlane(t, withImages, sources.objectsIn(namespace))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k := cp.startFakeKubelet(t, ctx, namespace)

	forecasts, submitted := map[string]forecast.Forecast{}, map[string]*wfv1.Workflow{}
	files := map[string]string{} // by Workflow
	for i, s := range sources.workflows {
		wf := s.workflow.DeepCopy()
		wf.Namespace, wf.GenerateName, wf.Name = namespace, "", fmt.Sprintf("w%03d", i)
		files[wf.Name] = s.file
		if err := cp.client.Create(ctx, wf); err != nil {
			t.Logf("%s: not created: %v", s.file, err)
			continue
		}
		submitted[wf.Name] = wf
		fc := forecast.Workflow(wf, clusterFacts{cp, controller}, forecast.Options{})
		// The controller does not create these.
		fc.Pods = slices.DeleteFunc(fc.Pods, func(p forecast.Pod) bool { return p.MissingServiceAccount != "" })
		forecasts[wf.Name] = fc
	}
	finished := cp.waitUntilQuiet(t, namespace, 4*time.Minute, 15*time.Second)

	var equal, toTheEnd, pods, skipped int
	secretVerdicts := verdicts{reasons: map[string]int{}}
	for _, name := range slices.Sorted(maps.Keys(forecasts)) {
		wf, file, created := finished[name], files[name], k.podsOf(name)
		differences := podDifferences(forecasts[name], created, wf)
		if len(created) == 0 && len(forecasts[name].Pods) > 0 {
			differences = []string{fmt.Sprintf("%d pods were forecast, none was created", len(forecasts[name].Pods))}
		}
		reason, listed := notComparable[file]
		switch {
		case listed && len(differences) > 0:
			t.Logf("%s is not comparable: %s", file, reason)
			skipped++
			continue
		case listed:
			t.Errorf("%s is listed as not comparable (%s), and its pods are equal to their forecast", file, reason)
		}
		pods += len(created)
		if len(differences) > 0 {
			t.Errorf("%s (%s, %s): %s", file, wf.Status.Phase, wf.Status.Message, strings.Join(differences, "\n    "))
			continue
		}
		equal++
		if wf.Status.Phase == wfv1.WorkflowSucceeded {
			toTheEnd++
			secretVerdicts.compare(t, file, submitted[name], clusterFacts{cp, controller}, created)
		}
	}
	t.Logf("%d Workflows: %d with %d pods equal to their forecast, %d of them run to their end; %d not comparable, %d not equal",
		len(forecasts), equal, pods, toTheEnd, skipped, len(forecasts)-equal-skipped)
	t.Logf("of the %d that ran to their end, %d verdicts with Secrets missing: %d denied, "+
		"each with a pod that would never start; %d allowed with such a pod: %v",
		toTheEnd, secretVerdicts.total, secretVerdicts.denied, secretVerdicts.missed, secretVerdicts.reasons)
	if file := os.Getenv("CONTROLLER_LOG"); file != "" {
		_ = os.WriteFile(file, cp.log.Bytes(), 0o644)
	}
}

// notComparable lists Workflows that get no pod at all although some are forecast. The reasons must
// lie outside of what a forecast covers.
type notComparable []struct {
	File string `json:"file"`
	// Under is the only configuration that the entry applies to, or empty for all.
	Under  string `json:"under"`
	Reason string `json:"reason"`
}

func readNotComparable(t *testing.T) (list notComparable) {
	t.Helper()
	text, err := os.ReadFile("not-comparable.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// forConfiguration returns the reasons for a configuration, by file.
func (l notComparable) forConfiguration(configuration string) map[string]string {
	reasons := map[string]string{}
	for _, entry := range l {
		if entry.Under == "" || entry.Under == configuration {
			reasons[entry.File] = entry.Reason
		}
	}
	return reasons
}

// hasMetadata reports whether a pod has the labels and annotations of another one, except for those that Argo changes during the run
// and those with values from it.
func hasMetadata(pod, other *corev1.Pod) bool {
	has := func(got, want map[string]string) bool {
		for key, value := range want {
			if key != "workflows.argoproj.io/completed" && !forecast.HasTag(value) && got[key] != value {
				return false
			}
		}
		return true
	}
	return has(pod.Labels, other.Labels) && has(pod.Annotations, other.Annotations)
}

// podDifferences lists the pods that were created but not forecast and, if the run succeeded, the
// pods that were forecast as certain but not created.
func podDifferences(f forecast.Forecast, created []corev1.Pod, wf wfv1.Workflow) []string {
	var out []string
	unmatched := sets.New[int]()
	for i := range f.Pods {
		unmatched.Insert(i)
	}
	gaps := len(f.Gaps) > 0
	for _, pod := range created {
		node, got := pod.Annotations["workflows.argoproj.io/node-name"], toComparable(&pod.Spec)
		var candidates, same []int
		for i := range f.Pods {
			if tmpl := templateOf(&pod); tmpl == nil || tmpl.Name == f.Pods[i].Origin.Template {
				candidates = append(candidates, i)
				if toComparable(&f.Pods[i].Spec).matches(got) {
					same = append(same, i)
				}
			}
		}
		switch {
		case len(same) > 0:
			unmatched.Delete(same...) // may be several that differ only in what no rule looks at
			// What a dry run sends to the API server selects the same webhooks.
			if !slices.ContainsFunc(same, func(i int) bool { return hasMetadata(&pod, f.Pods[i].DryRun(&f.Pods[i].Spec)) }) {
				forDryRun := f.Pods[same[0]].DryRun(&f.Pods[same[0]].Spec)
				out = append(out, fmt.Sprintf("pod %s was created with labels %v and annotations %v, and a dry run has %v and %v",
					node, pod.Labels, pod.Annotations, forDryRun.Labels, forDryRun.Annotations))
			}
		case len(candidates) > 0:
			out = append(out, fmt.Sprintf("pod %s was created as\n      %s\n      and forecast as\n      %s",
				node, got, toComparable(&f.Pods[candidates[0]].Spec)))
		case !gaps:
			out = append(out, fmt.Sprintf("pod %s was not forecast", node))
		}
	}
	if wf.Status.Phase == wfv1.WorkflowSucceeded {
		for i := range unmatched {
			if o := f.Pods[i].Origin; o.Certainty == forecast.Certain {
				out = append(out, fmt.Sprintf("pod of template %q, steps %v, was forecast as certain and not created: %s",
					o.Template, o.Steps, toComparable(&f.Pods[i].Spec)))
			}
		}
	}
	return out
}
