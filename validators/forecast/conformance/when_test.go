package conformance

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

var (
	conditions    = flag.Int("conditions", 1500, "how many conditions TestConditions generates")
	conditionSeed = flag.Uint64("condition-seed", 1, "seed of TestConditions")
)

// TestConditions generates conditions and values for their parameters. For each condition, it
// compares the forecast's result, true, false, or invalid with a reason, with what Argo's
// controller does.
func TestConditions(t *testing.T) {
	cp := startControlPlane(t, nil, nil)
	const namespace, each = "conditions", 50
	cp.createNamespace(t, namespace)
	random := rand.New(rand.NewPCG(*conditionSeed, 0))
	var workflows []*wfv1.Workflow
	for i := 0; i < *conditions; i += each {
		wf := workflowWithConditions(random, each)
		wf.Namespace, wf.Name = namespace, fmt.Sprintf("conditional-%d", i)
		cp.create(t, wf.DeepCopy())
		workflows = append(workflows, wf)
	}
	ended := make([]*wfv1.Workflow, len(workflows))
	for i := range workflows {
		ended[i] = workflows[i].DeepCopy()
	}
	cp.waitForCompletion(t, ended)
	count := map[string]int{}
	for i, wf := range workflows {
		if !ended[i].Status.Fulfilled() {
			t.Fatalf("%s has not ended: %s", wf.Name, ended[i].Status.Message)
		}
		invalid := map[string]forecast.InvalidCondition{}
		for _, c := range forecast.Workflow(wf, clusterFacts{cp, forecast.ControllerConfig{}}, forecast.Options{}).InvalidConditions {
			invalid[c.Origin.Steps[0]] = c
		}
		if len(ended[i].Status.Nodes) < each {
			// A panic of the evaluator ends the whole run.
			panics := slices.ContainsFunc(slices.Collect(maps.Values(invalid)),
				func(c forecast.InvalidCondition) bool { return c.Reason == ended[i].Status.Message })
			if !panics {
				t.Errorf("seed %d: %s has %d nodes: %s", *conditionSeed, wf.Name, len(ended[i].Status.Nodes), ended[i].Status.Message)
			}
		}
		for _, node := range ended[i].Status.Nodes {
			var task int
			if n, _ := fmt.Sscanf(node.DisplayName, "task-%d", &task); n != 1 || task >= each {
				continue
			}
			c, isInvalid := invalid[node.DisplayName]
			errs := node.Phase == wfv1.NodeError
			count[fmt.Sprintf("%s, invalid in the forecast: %v", node.Phase, isInvalid)]++
			if errs != isInvalid || isInvalid && !strings.Contains(node.Message, strings.TrimPrefix(c.Reason, "Expected boolean evaluation. ")) {
				t.Errorf("seed %d: %s with %v is %s (%s); invalid in the forecast: %v, for '%s'", *conditionSeed,
					wf.Spec.Templates[0].DAG.Tasks[task].When, parameters(wf), node.Phase, node.Message, isInvalid, c.Reason)
			}
		}
	}
	t.Log(count)
}

func parameters(wf *wfv1.Workflow) []string {
	var out []string
	for _, p := range wf.Spec.Arguments.Parameters {
		out = append(out, p.Value.String())
	}
	return out
}

// workflowWithConditions generates a Workflow with independent tasks, each with a condition.
func workflowWithConditions(random *rand.Rand, tasks int) *wfv1.Workflow {
	one := func(options ...string) string { return options[random.IntN(len(options))] }
	value := func() string {
		if random.IntN(2) == 0 {
			return one("", "None", "a", "a b", "a-b", "1", "1.5", "1e3", "-1", "true", "false", "{}", "[1, 2]",
				`{"dvc": {"remote": 1}}`, `[{"a": "b"}]`, "{'a': 1}", "it's", `say "hi"`, `a\`, `a\\`, `a\b`, "gs://bucket/key", "2022-08-12",
				"여기", "a\nb", "`", "(a", "a)", "==", "&&", "x == y", "a,b", "%", "<html>", "a.b", "$1")
		}
		var b strings.Builder
		for range random.IntN(6) {
			b.WriteString(one(`"`, `'`, `\`, "a", "b1", " ", "{", "}", "[", "]", ":", ",", "1", "-", ".", "=", "(", ")", "/", "é"))
		}
		return strings.ReplaceAll(b.String(), "{{", "{") // Argo rejects unclosed tags
	}
	wf := &wfv1.Workflow{ObjectMeta: metav1.ObjectMeta{}, Spec: wfv1.WorkflowSpec{Entrypoint: "main"}}
	const values = 12
	inputs := wfv1.Inputs{}
	for i := range values {
		wf.Spec.Arguments.Parameters = append(wf.Spec.Arguments.Parameters,
			wfv1.Parameter{Name: fmt.Sprintf("p%d", i), Value: wfv1.AnyStringPtr(value())})
		inputs.Parameters = append(inputs.Parameters,
			wfv1.Parameter{Name: fmt.Sprintf("i%d", i), Value: wfv1.AnyStringPtr(fmt.Sprintf("{{workflow.parameters.p%d}}", i))})
	}
	operand := func() string {
		tag := fmt.Sprintf(one("{{workflow.parameters.p%d}}", "{{inputs.parameters.i%d}}"), random.IntN(values))
		if random.IntN(4) == 0 {
			return one("a", `"None"`, "'x'", "1", "true", `"{}"`)
		}
		return fmt.Sprintf(one(`"%s"`, `"%s"`, "'%s'", "%s"), tag)
	}
	dag := &wfv1.DAGTemplate{FailFast: new(bool)}
	for i := range tasks {
		when := operand() + one(" == ", " != ", " != ", " > ", " =~ ", " + ", " in ", "==") + operand()
		if random.IntN(4) == 0 {
			when += one(" && ", " || ") + operand() + " != " + operand()
		}
		dag.Tasks = append(dag.Tasks, wfv1.DAGTask{Name: fmt.Sprintf("task-%d", i), Template: "nothing", When: when})
	}
	never := wfv1.WorkflowStep{Name: "none", Template: "never", When: "1 == 2"}
	wf.Spec.Templates = []wfv1.Template{
		{Name: "main", Inputs: inputs, DAG: dag},
		{Name: "nothing", Steps: []wfv1.ParallelSteps{{Steps: []wfv1.WorkflowStep{never}}}},
		{Name: "never", Suspend: &wfv1.SuspendTemplate{}},
	}
	return wf
}
