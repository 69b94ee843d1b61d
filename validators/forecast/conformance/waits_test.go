package conformance

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

var (
	waits    = flag.Int("waits", 60, "how many Workflows TestWaits generates")
	waitSeed = flag.Uint64("wait-seed", 1, "seed of TestWaits")
)

// TestWaits generates Workflows with pods that need a Secret which does not exist: with and without
// deadlines, in steps and tasks that tolerate failures, before and after steps that create the
// Secret, and after steps that wait for a person, who creates it. No run that succeeds may be denied.
func TestWaits(t *testing.T) {
	cp := startControlPlane(t, nil, nil)
	const namespace = "waits"
	cp.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go patientKubelet{cp}.run(ctx, namespace)
	random := rand.New(rand.NewPCG(*waitSeed, 1))
	denied := map[string]bool{}
	texts := map[string]string{}
	for i := range *waits {
		name := fmt.Sprintf("wait-%d", i)
		text := generateWaits(random, "secret-of-"+name)
		wf, err := forecast.DecodeYAML[wfv1.Workflow]([]byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		wf.Namespace, wf.Name = namespace, name
		texts[name], denied[name] = text, isDenied(wf)
		cp.create(t, wf)
	}
	finished := cp.waitForPeople(t, ctx, namespace)
	right, missed, allowed := 0, 0, 0
	for name, text := range texts {
		wf := finished[name]
		switch succeeded := wf.Status.Phase == wfv1.WorkflowSucceeded; {
		case denied[name] && succeeded:
			t.Errorf("%s succeeded and would have been denied (-args -wait-seed %d -waits %d):\n%s", name, *waitSeed, *waits, text)
		case denied[name]:
			right++
		case succeeded:
			allowed++
		default:
			missed++
		}
	}
	t.Logf("%d denied and did not succeed, %d admitted and succeeded, %d admitted and did not succeed", right, allowed, missed)
	if 3*right < missed {
		t.Error("most runs that can't succeed are admitted")
	}
}

// isDenied reports whether a missing Secret certainly keeps a Workflow from succeeding, in an empty
// namespace.
func isDenied(wf *wfv1.Workflow) bool {
	facts := &validators.State{Complete: true}
	onlySecrets := func(rule string) bool { return rule == validators.WorkflowSecretMissing }
	for _, f := range validators.JudgeWorkflow(wf, facts, validators.Options{}, onlySecrets) {
		if f.Certainty == validators.Certain {
			return true
		}
	}
	return false
}

// generateWaits generates a Workflow whose pods may need or create a Secret.
func generateWaits(random *rand.Rand, secret string) string {
	g := &waitsGenerator{random: random}
	main := g.group(0)
	needs := fmt.Sprintf("container: {image: busybox, command: [x], env: [{name: A, valueFrom: {secretKeyRef: {name: %s, key: k}}}]}", secret)
	templates := []string{
		"{name: needs, " + needs + "}",
		"{name: needs-timeout, timeout: 2s, " + needs + "}",
		"{name: needs-deadline, activeDeadlineSeconds: 2, " + needs + "}",
		fmt.Sprintf("{name: creates, resource: {action: create, manifest: '{apiVersion: v1, kind: Secret, metadata: {name: %s}}'}}", secret),
		"{name: applies, container: {image: busybox, command: [kubectl, apply, -k, /manifests]}}",
		"{name: plain, script: {image: python, command: [python], source: 'print(1)'}}",
		"{name: asks, suspend: {}}",
		"{name: pauses, suspend: {duration: '1'}}",
	}
	suspended := ""
	if random.IntN(12) == 0 {
		suspended = "suspend: true, "
	}
	return fmt.Sprintf("spec: {%sentrypoint: %s, templates: [%s%s]}", suspended, main, strings.Join(g.templates, ""), strings.Join(templates, ", "))
}

type waitsGenerator struct {
	random    *rand.Rand
	templates []string
}

func (g *waitsGenerator) one(options ...string) string { return options[g.random.IntN(len(options))] }

// group generates a template of steps or tasks and returns its name.
func (g *waitsGenerator) group(depth int) string {
	name := fmt.Sprintf("group-%d", len(g.templates))
	g.templates = append(g.templates, "")
	at := len(g.templates) - 1
	target := func() string {
		if depth < 2 && g.random.IntN(4) == 0 {
			return g.group(depth + 1)
		}
		return g.one("needs", "needs", "needs", "needs-timeout", "needs-deadline", "creates", "applies", "plain", "plain", "asks", "pauses")
	}
	tolerance := func() string {
		return g.one("", "", "", ", continueOn: {failed: true}", ", continueOn: {failed: true, error: true}")
	}
	dag, byDepends := g.random.IntN(2) == 0, g.random.IntN(2) == 0
	var parts []string
	for i := range 1 + g.random.IntN(3) {
		part := fmt.Sprintf("{name: n%d, template: %s", i, target())
		before := fmt.Sprintf("n%d", g.random.IntN(max(i, 1)))
		switch {
		case dag && byDepends && i > 0:
			part += fmt.Sprintf(", depends: '%s'", g.one(before, before+".Succeeded", before+".Failed || "+before+".Succeeded",
				"!"+before+".Succeeded", before+" && n0"))
		case dag && !byDepends && i > 0:
			part += fmt.Sprintf(", dependencies: [%s]%s", before, tolerance())
		case !dag || !byDepends:
			part += tolerance()
		}
		parts = append(parts, part+"}")
	}
	if dag {
		g.templates[at] = fmt.Sprintf("{name: %s, dag: {tasks: [%s]}}, ", name, strings.Join(parts, ", "))
	} else {
		g.templates[at] = fmt.Sprintf("{name: %s, steps: [[%s]]}, ", name, strings.Join(parts, g.one("], [", ", ")))
	}
	return name
}

// patientKubelet treats pods as the kubelet does: one that needs a Secret waits for it, and fails at
// its deadline. Programs that may create the Secret of their Workflow do.
type patientKubelet struct{ controlPlane controlPlane }

func (k patientKubelet) run(ctx context.Context, namespace string) {
	var group sync.WaitGroup
	defer group.Wait()
	seen := map[string]bool{}
	for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		var pods corev1.PodList
		if k.controlPlane.client.List(ctx, &pods, client.InNamespace(namespace)) != nil {
			continue
		}
		for i := range pods.Items {
			if pod := &pods.Items[i]; !seen[pod.Name] {
				seen[pod.Name] = true
				group.Go(func() { k.treat(ctx, pod) })
			}
		}
	}
}

// treat brings one pod to its end.
func (k patientKubelet) treat(ctx context.Context, pod *corev1.Pod) {
	started := time.Now()
	for name := neededSecret(pod); name != ""; time.Sleep(100 * time.Millisecond) {
		key := client.ObjectKey{Namespace: pod.Namespace, Name: name}
		if k.controlPlane.client.Get(ctx, key, &corev1.Secret{}) == nil {
			break
		}
		if seconds := pod.Spec.ActiveDeadlineSeconds; seconds != nil && time.Since(started) > time.Duration(*seconds)*time.Second {
			pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded", Message: "Pod was active too long"}
			_ = k.controlPlane.client.Status().Update(ctx, pod)
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
	if tmpl := templateOf(pod); tmpl != nil && (tmpl.Resource != nil || tmpl.Name == "applies") {
		k.controlPlane.createSecretOf(ctx, pod.Namespace, pod.Labels["workflows.argoproj.io/workflow"])
	}
	kubelet := fakeKubelet{controlPlane: k.controlPlane}
	_ = kubelet.complete(ctx, pod)
}

// neededSecret is the Secret that the pod's main container needs; empty if it needs none.
func neededSecret(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				return e.ValueFrom.SecretKeyRef.Name
			}
		}
	}
	return ""
}

func (cp controlPlane) createSecretOf(ctx context.Context, namespace, workflow string) {
	_ = cp.client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "secret-of-" + workflow},
		Data:       map[string][]byte{"k": nil},
	})
}

// waitForPeople waits until no Workflow makes progress any more. Meanwhile it acts as the people who
// create the Secret of a Workflow that waits for them, and then resume it.
func (cp controlPlane) waitForPeople(t *testing.T, ctx context.Context, namespace string) map[string]wfv1.Workflow {
	t.Helper()
	for range 12 {
		finished := cp.waitUntilQuiet(t, namespace, time.Minute, 4*time.Second)
		resumed := false
		for _, wf := range finished {
			resumed = cp.resume(t, ctx, &wf) || resumed
		}
		if !resumed {
			return finished
		}
	}
	return cp.waitUntilQuiet(t, namespace, time.Minute, 4*time.Second)
}

// resume resumes a Workflow that waits for a person, as the argo command does, and reports whether it
// does.
// Source: argoproj/argo-workflows v3.7.3 workflow/util/util.go ResumeWorkflow.
func (cp controlPlane) resume(t *testing.T, ctx context.Context, wf *wfv1.Workflow) bool {
	t.Helper()
	if wf.Status.Fulfilled() {
		return false
	}
	waiting := wf.Spec.Suspend != nil && *wf.Spec.Suspend
	wf.Spec.Suspend = nil
	for id, node := range wf.Status.Nodes {
		if node.Type == wfv1.NodeTypeSuspend && node.Phase == wfv1.NodeRunning {
			node.Phase, node.FinishedAt = wfv1.NodeSucceeded, metav1.Now()
			wf.Status.Nodes[id], waiting = node, true
		}
	}
	if !waiting {
		return false
	}
	cp.createSecretOf(ctx, wf.Namespace, wf.Name)
	if err := cp.client.Update(ctx, wf); err != nil {
		t.Logf("resuming %s: %v", wf.Name, err)
	}
	return true
}
