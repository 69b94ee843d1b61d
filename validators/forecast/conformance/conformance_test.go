package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
	"github.com/kfp-preflight/kfp-preflight/validators/quota"
)

// configurations are the controllers that the forecast is compared under.
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
		"executor":         "resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {cpu: 100m}}\nenv: [{name: EXTRA, valueFrom: {secretKeyRef: {name: executor, key: extra}}}]\n",
		"mainContainer":    "resources: {requests: {memory: 1Gi}}\nenvFrom: [{secretRef: {name: everybody}}]\n",
		"workflowDefaults": "spec:\n  podPriorityClassName: low\n  activeDeadlineSeconds: 86400\n  templateDefaults: {container: {env: [{name: BY_DEFAULT, value: a}]}}\n",
	},
}

// TestConformance compares every Workflow of Argo's examples and of the folders in CORPUS.
func TestConformance(t *testing.T) {
	workflows := load(t)
	for name, configuration := range configurations {
		t.Run(name, func(t *testing.T) { compareAll(t, configuration, workflows) })
	}
}

type source struct {
	file     string
	workflow *wfv1.Workflow
}

func compareAll(t *testing.T, configuration map[string]string, workflows []source) {
	controller, err := forecast.ParseController(configuration)
	if err != nil {
		t.Fatal(err)
	}
	withImages := map[string]string{"images": images(t, controller, workflows)}
	for k, v := range configuration {
		withImages[k] = v
	}
	l := newLab(t, withImages)
	const namespace = "conformance"
	l.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	l.create(t, &schedulingv1.PriorityClass{ObjectMeta: metav1.ObjectMeta{Name: "low"}, Value: 1})
	l.create(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	k := l.startKubelet(t, ctx, namespace)

	forecasts := map[string]forecast.Forecast{}
	files := map[string]string{}
	for i, s := range workflows {
		wf := s.workflow.DeepCopy()
		wf.Namespace, wf.GenerateName, wf.Name = namespace, "", fmt.Sprintf("w%03d", i)
		files[wf.Name] = s.file
		if err := l.client.Create(ctx, wf); err != nil {
			t.Logf("%s: not created: %v", s.file, err)
			continue
		}
		forecasts[wf.Name] = forecast.Workflow(wf, facts{l, controller})
	}
	finished := l.settle(t, namespace, 4*time.Minute, 15*time.Second)

	var equal, pods, apart int
	for _, name := range slices.Sorted(maps.Keys(forecasts)) {
		wf, created := finished[name], k.of(name)
		if len(created) == 0 && len(forecasts[name].Pods) > 0 {
			reason := notComparable(files[name], wf.Status.Message)
			if reason == "" {
				t.Errorf("%s: %d pods were forecast, none was created: %s %s", files[name], len(forecasts[name].Pods), wf.Status.Phase, wf.Status.Message)
			}
			t.Logf("%s is not comparable: %s", files[name], reason)
			apart++
			continue
		}
		pods += len(created)
		if differences := compare(forecasts[name], created, wf); len(differences) > 0 {
			t.Errorf("%s (%s, %s): %s", files[name], wf.Status.Phase, wf.Status.Message, strings.Join(differences, "\n    "))
			continue
		}
		equal++
	}
	t.Logf("%d Workflows: %d with %d pods equal to their forecast, %d not comparable, %d not equal",
		len(forecasts), equal, pods, apart, len(forecasts)-equal-apart)
	if file := os.Getenv("CONTROLLER_LOG"); file != "" {
		_ = os.WriteFile(file, l.log.Bytes(), 0o644)
	}
}

// notComparable says why a Workflow got no pod at all, although some were forecast: the reason lies outside of what a
// forecast is about. Empty if there is none.
func notComparable(file, message string) string {
	switch {
	case strings.HasPrefix(message, "invalid spec: "), strings.Contains(message, " is invalid: "):
		return message // Argo refuses the Workflow, or the API server the pod
	case strings.HasPrefix(file, "synchronization-"):
		return "it waits for a lock in a database or a ConfigMap that is not there"
	case strings.Contains(file, "from-configmap"):
		return "its parameters come from a ConfigMap that is not there"
	case file == "artifact-repository-ref.yaml":
		return "its artifact repository is not there"
	case file == "suspend-template-outputs.yaml":
		return "it waits for somebody to resume it"
	}
	return ""
}

// compare lists the pods that were created and not forecast, and those that were forecast as certain and not created.
func compare(f forecast.Forecast, created []corev1.Pod, wf wfv1.Workflow) []string {
	var out []string
	open := sets.New[int]()
	for i := range f.Pods {
		open.Insert(i)
	}
	gaps := len(f.Gaps) > 0
	for _, pod := range created {
		if pod.Labels["workflows.argoproj.io/component"] == "artifact-gc" {
			continue // it deletes what the run has left; no step of the run
		}
		node, got := pod.Annotations["workflows.argoproj.io/node-name"], essence(&pod.Spec)
		var candidates, same []int
		for i := range f.Pods {
			if tmpl := templateOf(&pod); tmpl == nil || tmpl.Name == f.Pods[i].Origin.Template {
				candidates = append(candidates, i)
				if essence(&f.Pods[i].Spec) == got {
					same = append(same, i)
				}
			}
		}
		switch {
		case len(same) > 0:
			open.Delete(same...) // pods that differ only in what no rule looks at
		case len(candidates) > 0:
			out = append(out, fmt.Sprintf("pod %s was created as\n      %s\n      and forecast as\n      %s", node, got, essence(&f.Pods[candidates[0]].Spec)))
		case !gaps:
			out = append(out, fmt.Sprintf("pod %s was not forecast", node))
		}
	}
	if wf.Status.Phase == wfv1.WorkflowSucceeded {
		for i := range open {
			if o := f.Pods[i].Origin; o.Certainty == forecast.Certain {
				out = append(out, fmt.Sprintf("pod of template %q, steps %v, was forecast as certain and not created: %s", o.Template, o.Steps, essence(&f.Pods[i].Spec)))
			}
		}
	}
	return out
}

// essence is what of a pod the rules may look at, in a form to compare: the containers with their resources and the
// Secrets that they use, the Secrets of mounted volumes, and the pod's own settings.
func essence(submitted *corev1.PodSpec) string {
	spec := quota.Defaults(submitted, nil) // as the API server does: requests come from limits
	type container struct {
		Name      string
		Resources corev1.ResourceRequirements
		Secrets   []string
	}
	type pod struct {
		Init, Containers []container
		Volumes          []string
		ServiceAccount   string
		PullSecrets      []corev1.LocalObjectReference
		Deadline         bool
		Priority         string
	}
	mounted := sets.New[string]()
	of := func(containers []corev1.Container) (out []container) {
		for _, c := range containers {
			item := container{Name: c.Name, Resources: c.Resources}
			for _, e := range c.Env {
				if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
					s := e.ValueFrom.SecretKeyRef
					item.Secrets = append(item.Secrets, fmt.Sprintf("%s=%s/%s/%v", e.Name, s.Name, s.Key, s.Optional != nil && *s.Optional))
				}
			}
			for _, e := range c.EnvFrom {
				if e.SecretRef != nil {
					item.Secrets = append(item.Secrets, fmt.Sprintf("*=%s/%v", e.SecretRef.Name, e.SecretRef.Optional != nil && *e.SecretRef.Optional))
				}
			}
			for _, m := range c.VolumeMounts {
				mounted.Insert(m.Name)
			}
			slices.Sort(item.Secrets)
			out = append(out, item)
		}
		return out
	}
	p := pod{
		Init: of(spec.InitContainers), Containers: of(spec.Containers), ServiceAccount: spec.ServiceAccountName,
		PullSecrets: spec.ImagePullSecrets, Deadline: spec.ActiveDeadlineSeconds != nil, Priority: spec.PriorityClassName,
	}
	if p.ServiceAccount == "default" {
		p.ServiceAccount = "" // the API server's default
	}
	for _, v := range spec.Volumes {
		if mounted.Has(v.Name) && (v.Secret != nil || v.Projected != nil) {
			v := v.DeepCopy()
			if strings.HasPrefix(v.Name, "kube-api-access") {
				v.Name = "kube-api-access" // Argo adds random letters
			}
			text, _ := json.Marshal(v)
			p.Volumes = append(p.Volumes, strings.ReplaceAll(string(text), `,"defaultMode":420`, ""))
		}
	}
	slices.Sort(p.Volumes)
	text, _ := json.Marshal(p)
	return string(text)
}

// facts are read from the lab; without one they are those of an empty cluster.
type facts struct {
	lab        lab
	controller forecast.Controller
}

func (f facts) Controller() (forecast.Controller, error) { return f.controller, nil }

func (f facts) WorkflowTemplate(namespace, name string) (*wfv1.WorkflowTemplate, error) {
	return get[wfv1.WorkflowTemplate](f, namespace, name)
}

func (f facts) ClusterWorkflowTemplate(name string) (*wfv1.ClusterWorkflowTemplate, error) {
	return get[wfv1.ClusterWorkflowTemplate](f, "", name)
}

func (f facts) ConfigMap(namespace, name string) (*corev1.ConfigMap, error) {
	return get[corev1.ConfigMap](f, namespace, name)
}

func (f facts) ServiceAccount(namespace, name string) (*corev1.ServiceAccount, error) {
	return get[corev1.ServiceAccount](f, namespace, name)
}

func get[T any, P interface {
	*T
	client.Object
}](f facts, namespace, name string) (*T, error) {
	if f.lab.client == nil {
		return nil, nil
	}
	out := P(new(T))
	err := f.lab.client.Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, out)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return out, err
}

// load reads the Workflows to compare.
func load(t *testing.T) []source {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/argoproj/argo-workflows/v3").Output()
	if err != nil {
		t.Fatal(err)
	}
	patterns := []string{filepath.Join(strings.TrimSpace(string(out)), "examples", "*.yaml"), "../../../testdata/workflow/*/*.yaml"}
	if corpus := os.Getenv("CORPUS"); corpus != "" {
		patterns = append(patterns, filepath.Join(corpus, "*", "*.yaml"))
	}
	var workflows []source
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			reader := k8syaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
			for {
				document, err := reader.Read()
				if err == io.EOF {
					break
				}
				var wf wfv1.Workflow
				if err != nil || yaml.Unmarshal(document, &wf) != nil || wf.Kind != "Workflow" {
					continue
				}
				if only := os.Getenv("ONLY"); only != "" && !strings.Contains(file, only) {
					continue
				}
				if wf.Status.Phase == "" { // one in the middle of a run starts where it stood, not at its entrypoint
					workflows = append(workflows, source{filepath.Base(file), &wf})
				}
			}
		}
	}
	return workflows
}

// images tells the controller a command for every image, which it would otherwise look up in a registry.
func images(t *testing.T, controller forecast.Controller, workflows []source) string {
	t.Helper()
	known := map[string]any{}
	for _, s := range workflows {
		for _, pod := range forecast.Workflow(s.workflow, facts{controller: controller}).Pods {
			for _, c := range pod.Spec.Containers {
				known[c.Image] = map[string]any{"cmd": []string{"true"}}
			}
		}
	}
	text, err := yaml.Marshal(known)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
