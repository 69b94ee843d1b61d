package conformance

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

var (
	courses    = flag.Int("courses", 80, "how many Workflows TestEndsRun generates")
	courseSeed = flag.Uint64("course-seed", 1, "seed of TestEndsRun")
)

// TestEndsRun generates Workflows with pods that a quota rejects, in steps and tasks that tolerate
// errors in various ways. If the forecast says that an error certainly ends a run, the run must not
// succeed.
func TestEndsRun(t *testing.T) {
	cp := startControlPlane(t, nil, nil)
	if err := cp.cluster.StartControllers("resourcequota-controller"); err != nil {
		t.Fatal(err)
	}
	const namespace = "courses"
	cp.createQuotaNamespace(t, namespace, false)
	random := rand.New(rand.NewPCG(*courseSeed, 0))
	var workflows []*wfv1.Workflow
	for i := range *courses {
		var c workflowGenerator
		main := c.group(random, 0)
		text := fmt.Sprintf("spec: {entrypoint: %s, templates: [%s{name: refused, container: {image: busybox, command: [x]}}, "+
			"{name: again, retryStrategy: {limit: 1, retryPolicy: Always}, container: {image: busybox, command: [x]}}, "+
			"{name: nothing, steps: [[{name: none, template: refused, when: 1 == 2}]]}]}", main, strings.Join(c.templates, ""))
		wf, err := forecast.DecodeYAML[wfv1.Workflow]([]byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		wf.Namespace, wf.Name = namespace, fmt.Sprintf("course-%d", i)
		wf.Annotations = map[string]string{"course": text}
		cp.create(t, wf)
		workflows = append(workflows, wf)
	}
	cp.waitForCompletion(t, workflows)
	ended, missed, other := 0, 0, 0
	for _, wf := range workflows {
		mustEnd := false
		asCreated := &wfv1.Workflow{ObjectMeta: wf.ObjectMeta, Spec: wf.Spec}
		asCreated.Labels = nil
		for _, pod := range forecast.Workflow(asCreated, clusterFacts{cp, forecast.ControllerConfig{}}, forecast.Options{}).Pods {
			mustEnd = mustEnd || pod.Origin.EndsRun == forecast.Certain
		}
		switch succeeded := wf.Status.Phase == wfv1.WorkflowSucceeded; {
		case mustEnd && succeeded:
			t.Errorf("it succeeded although the forecast says that an error ends it (-args -course-seed %d -courses %d):\n%s", *courseSeed, *courses,
				wf.Annotations["course"])
		case mustEnd:
			ended++
		case succeeded:
			other++
		default:
			missed++
		}
	}
	t.Logf("%d ended in error as forecast, %d succeeded as possible, %d ended in error although they might have succeeded", ended,
		other, missed)
	if 3*ended < missed {
		t.Error("most errors are not forecast")
	}
}

// workflowGenerator generates the templates of a Workflow.
type workflowGenerator struct{ templates []string }

// group generates a template of steps or tasks and returns its name.
func (c *workflowGenerator) group(random *rand.Rand, depth int) string {
	name := fmt.Sprintf("group-%d", len(c.templates))
	c.templates = append(c.templates, "")
	at := len(c.templates) - 1
	one := func(options ...string) string { return options[random.IntN(len(options))] }
	target := func() string {
		if depth < 2 && random.IntN(3) == 0 {
			return c.group(random, depth+1)
		}
		return one("refused", "refused", "again", "nothing", "nothing")
	}
	tolerance := func() string {
		return one("", "", "", ", continueOn: {error: true}", ", continueOn: {failed: true}",
			", hooks: {exit: {template: "+one("refused", "nothing")+"}}")
	}
	var parts []string
	dag := random.IntN(2) == 0
	byDepends := random.IntN(2) == 0
	for i := range 1 + random.IntN(3) {
		part := fmt.Sprintf("{name: n%d, template: %s", i, target())
		switch {
		case dag && byDepends:
			if i > 0 {
				before := fmt.Sprintf("n%d", random.IntN(i))
				part += fmt.Sprintf(", depends: '%s'", one(before, before+".Succeeded", before+".Failed", before+".Errored", "!"+before+".Succeeded",
					before+" || n0", before+" && n0", before+".Omitted", before+".Succeeded || "+before+".Failed"))
			}
		case dag && i > 0:
			part += fmt.Sprintf(", dependencies: [n%d]%s", random.IntN(i), tolerance())
		default:
			part += tolerance()
		}
		parts = append(parts, part+"}")
	}
	if dag {
		c.templates[at] = fmt.Sprintf("{name: %s, dag: {tasks: [%s]}}, ", name, strings.Join(parts, ", "))
	} else {
		c.templates[at] = fmt.Sprintf("{name: %s, steps: [[%s]]}, ", name, strings.Join(parts, one("], [", ", ")))
	}
	return name
}
