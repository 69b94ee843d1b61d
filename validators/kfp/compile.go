package kfp

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// IsPipeline reports whether JSON is a pipeline as the KFP SDK v2 compiles it, and IsPlatforms whether it is what such a pipeline wants
// of Kubernetes, which follows it in the same file.
func IsPipeline(raw []byte) bool {
	m := parse(string(raw))
	return m.message("pipelineInfo") != nil && m.message("root") != nil
}

// IsPlatforms is described at IsPipeline.
func IsPlatforms(raw []byte) bool { return parse(string(raw)).message("platforms") != nil }

// Compiled is the Workflow of a pipeline.
type Compiled struct {
	Workflow *wfv1.Workflow
	// Places say for each of the Workflow's parameters where in the pipeline its value stands. What begins with platforms stands in
	// the document of that.
	Places []string
}

// Compile makes the Workflow that KFP's API server makes of a pipeline, as far as its pods go: a run with the default values of the
// parameters. platforms may be empty.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/argo.go Compile, dag.go, backend/src/v2/compiler/visitor.go.
func Compile(pipeline, platforms []byte) (*Compiled, error) {
	spec := parse(string(pipeline))
	c := compiler{
		components: spec.message("components"), executors: spec.message("deploymentSpec").message("executors"),
		kubernetes: parse(string(platforms)).message("platforms").message("kubernetes"),
		done:       map[string]bool{},
	}
	name := spec.message("pipelineInfo").text("name")
	c.out.Workflow = &wfv1.Workflow{
		TypeMeta:   metav1.TypeMeta{APIVersion: "argoproj.io/v1alpha1", Kind: "Workflow"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: name[strings.LastIndex(name, "/")+1:] + "-"},
		Spec: wfv1.WorkflowSpec{
			Entrypoint:  "entrypoint",
			PodMetadata: &wfv1.Metadata{Labels: map[string]string{"pipelines.kubeflow.org/v2_component": "true"}},
			Templates:   append(drivers(), steps()...),
		},
	}
	if c.kubernetes.message("pipelineConfig").message("workspace") != nil {
		claim := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "kfp-workspace"}}
		c.out.Workflow.Spec.VolumeClaimTemplates = append(c.out.Workflow.Spec.VolumeClaimTemplates, claim)
	}
	if err := c.component("root", spec.message("root"), "root"); err != nil {
		return nil, err
	}
	values := map[string]any{}
	inputs := spec.message("root").message("inputDefinitions").message("parameters")
	for _, name := range inputs.keys() {
		p := inputs.message(name)
		if optional := p.flag("isOptional"); p.get("defaultValue") != nil || optional != nil && *optional {
			values[name] = p.get("defaultValue")
		}
	}
	config, err := textOf(map[string]any{"parameterValues": values})
	if err != nil {
		return nil, err
	}
	c.template("entrypoint", nil,
		wfv1.DAGTask{Name: "root-driver", Template: dagDriver, Arguments: arguments("component", parameter("components-root"), "runtime-config", config, "driver-type", "ROOT_DAG")},
		wfv1.DAGTask{Name: "root", Template: "root", Depends: "root-driver.Succeeded", Arguments: arguments("parent-dag-id", output("root-driver", "execution-id"), "condition", "")})
	return &c.out, nil
}

// compiler is a compilation under way.
type compiler struct {
	components, executors, kubernetes message

	out  Compiled
	done map[string]bool // components
}

func parameter(name string) string { return "{{workflow.parameters." + name + "}}" }
func output(task, name string) string {
	return "{{tasks." + task + ".outputs.parameters." + name + "}}"
}
func after(tasks ...string) string     { return strings.Join(tasks, ".Succeeded && ") + ".Succeeded" }
func snakeToDash(name string) string   { return strings.ReplaceAll(name, "_", "-") }
func quoted(m message) (string, error) { return textOf(map[string]any(m)) }
func input(name string) wfv1.Parameter { return wfv1.Parameter{Name: name} }
func parentDAG() string                { return "{{inputs.parameters.parent-dag-id}}" }

func (c *compiler) template(name string, inputs []wfv1.Parameter, tasks ...wfv1.DAGTask) {
	spec := &c.out.Workflow.Spec
	spec.Templates = append(spec.Templates, wfv1.Template{Name: name, Inputs: wfv1.Inputs{Parameters: inputs}, DAG: &wfv1.DAGTemplate{Tasks: tasks}})
}

// save keeps a value as a parameter of the Workflow.
func (c *compiler) save(name string, value message, place string) error {
	text, err := quoted(value)
	if err != nil {
		return err
	}
	a := &c.out.Workflow.Spec.Arguments
	a.Parameters = append(a.Parameters, arguments(name, text).Parameters...)
	c.out.Places = append(c.out.Places, place)
	return nil
}

// component saves what a component is and, if it is a group of tasks, makes its template, those of its tasks first.
func (c *compiler) component(name string, spec message, place string) error {
	if c.done[name] {
		return nil
	}
	c.done[name] = true
	if label := spec.text("executorLabel"); label != "" {
		executor := c.executors.message(label)
		if executor == nil {
			return fmt.Errorf("deploymentSpec.executors has no %s, which component %s names", label, name)
		}
		if err := c.save("components-"+name, spec, place); err != nil {
			return err
		}
		if config := c.kubernetes.message("deploymentSpec").message("executors").message(label); config != nil {
			if err := c.save("kubernetes-"+name, config, "platforms.kubernetes.deploymentSpec.executors["+label+"]"); err != nil {
				return err
			}
		}
		for _, kind := range []string{"container", "importer"} {
			if impl := executor.message(kind); impl != nil {
				return c.save("implementations-"+name, impl, "deploymentSpec.executors["+label+"]."+kind)
			}
		}
		return fmt.Errorf("deploymentSpec.executors[%s] is neither a container nor an importer", label)
	}
	tasks := spec.message("dag").message("tasks")
	if tasks == nil {
		return fmt.Errorf("component %s is neither an executor nor a group of tasks", name)
	}
	for _, task := range tasks.keys() {
		of := tasks.message(task).message("componentRef").text("name")
		component := c.components.message(of)
		if component == nil {
			return fmt.Errorf("there is no component '%s', which task %s of %s names", of, task, name)
		}
		if err := c.component(of, component, "components["+of+"]"); err != nil {
			return err
		}
	}
	if err := c.save("components-"+name, spec, place); err != nil {
		return err
	}
	return c.group(name, tasks)
}

// group makes the template of a group of tasks. A task that runs whatever becomes of another one is that one's exit handler.
func (c *compiler) group(name string, tasks message) error {
	exits := map[string]string{} // by the task that has the exit handler
	var made []wfv1.DAGTask
	for _, exit := range []bool{true, false} {
		for _, key := range tasks.keys() {
			task := tasks.message(key)
			if (task.message("triggerPolicy").text("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED") != exit {
				continue
			}
			of, err := c.task(key, task, place{exit: exits[key], isExit: exit})
			switch {
			case err != nil:
				return err
			case exit:
				template := "exit-hook-" + name + "-" + key
				for _, before := range task.texts("dependentTasks") {
					exits[before] = template
				}
				c.template(template, []wfv1.Parameter{input("parent-dag-id")}, of...)
			default:
				made = append(made, of...)
			}
		}
	}
	if len(made) == 0 {
		return errors.New("component " + name + " has only tasks that come last")
	}
	c.template(name, []wfv1.Parameter{input("parent-dag-id")}, made...)
	return nil
}

// dummyImages are those of components that only the driver acts upon.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/container.go dummyImages.
var dummyImages = []string{createClaim, "argostub/deletepvc"}

// place is where a task stands.
type place struct {
	exit      string // the template of its exit handler
	isExit    bool   // it is one
	iteration bool   // it is one round of a loop, whose task has this name
	loop      string
}

// task makes a driver and what it drives.
func (c *compiler) task(name string, task message, at place) ([]wfv1.DAGTask, error) {
	of := task.message("componentRef").text("name")
	component := c.components.message(of)
	text, err := quoted(task)
	if err != nil {
		return nil, err
	}
	if task.message("parameterIterator") != nil && !at.iteration {
		return c.loop(name, of, task, text)
	}
	label := component.text("executorLabel")
	if label != "" && c.executors.message(label).message("importer") != nil {
		return []wfv1.DAGTask{{Name: name, Template: importer, Depends: depends(task), Arguments: arguments("task", text,
			"component", parameter("components-"+of), "importer", parameter("implementations-"+of), "parent-dag-id", parentDAG())}}, nil
	}
	taskName := name
	if at.loop != "" {
		taskName = at.loop
	}
	driver := wfv1.DAGTask{Name: name + "-driver", Template: dagDriver, Arguments: arguments(
		"component", parameter("components-"+of), "task", text, "task-name", taskName, "parent-dag-id", parentDAG())}
	if at.iteration {
		driver.Arguments.Parameters = append(driver.Arguments.Parameters, arguments("iteration-index", "{{inputs.parameters.iteration-index}}").Parameters...)
	} else if !at.isExit {
		driver.Depends = depends(task)
	}
	driven := wfv1.DAGTask{Name: name, Template: of, Depends: after(driver.Name), Arguments: arguments(
		"parent-dag-id", output(driver.Name, "execution-id"), "condition", output(driver.Name, "condition"))}
	if label != "" {
		driver.Template = containerDriver
		more := arguments("container", parameter("implementations-"+of))
		if c.kubernetes.message("deploymentSpec").message("executors").message(label) != nil {
			more.Parameters = append(more.Parameters, arguments("kubernetes-config", parameter("kubernetes-"+of)).Parameters...)
		}
		driver.Arguments.Parameters = append(driver.Arguments.Parameters, more.Parameters...)
		if slices.Contains(dummyImages, c.executors.message(label).message("container").text("image")) {
			driver.Name = name // the driver itself makes or deletes a claim, and there is no step
			return []wfv1.DAGTask{driver}, nil
		}
		driven.Template = containerExecutor
		driven.Arguments = arguments("pod-spec-patch", output(driver.Name, "pod-spec-patch"), "cached-decision", output(driver.Name, "cached-decision"))
	}
	if task.message("triggerPolicy").text("condition") != "" {
		driven.When = output(driver.Name, "condition") + " != false"
	}
	if at.exit != "" {
		driven.Hooks = wfv1.LifecycleHooks{wfv1.ExitLifecycleEvent: {Template: at.exit, Arguments: arguments("parent-dag-id", parentDAG())}}
	}
	return []wfv1.DAGTask{driver, driven}, nil
}

// loop makes the templates of a task that runs once for each of its items.
func (c *compiler) loop(name, of string, task message, text string) ([]wfv1.DAGTask, error) {
	round, err := c.task("iteration-item", task, place{iteration: true, loop: name})
	if err != nil {
		return nil, err
	}
	inputs := []wfv1.Parameter{input("parent-dag-id")}
	iteration, iterator := of+"-"+name+"-iteration", of+"-"+name+"-iterator"
	c.template(iteration, append(slices.Clone(inputs), input("iteration-index")), round...)
	count := intstr.FromString(output("iteration-driver", "iteration-count"))
	rounds := wfv1.DAGTask{Name: "iteration-iterations", Template: iteration, Depends: after("iteration-driver"), WithSequence: &wfv1.Sequence{Count: &count},
		Arguments: arguments("parent-dag-id", output("iteration-driver", "execution-id"), "iteration-index", "{{item}}")}
	if task.message("triggerPolicy").text("condition") != "" {
		rounds.When = output("iteration-driver", "condition") + " != false"
	}
	c.template(iterator, inputs, wfv1.DAGTask{Name: "iteration-driver", Template: dagDriver, Arguments: arguments(
		"component", parameter("components-"+of), "task", text, "task-name", name, "parent-dag-id", parentDAG())}, rounds)
	return []wfv1.DAGTask{{Name: name, Template: iterator, Depends: depends(task), Arguments: arguments("parent-dag-id", parentDAG())}}, nil
}

// depends says after which tasks one runs: those that it names, and those whose outputs it takes.
func depends(task message) string {
	names := map[string]bool{}
	for _, name := range task.texts("dependentTasks") {
		names[name] = true
	}
	for _, kind := range []string{"parameters", "artifacts"} {
		inputs := task.message("inputs").message(kind)
		for _, name := range inputs.keys() {
			for _, from := range []string{"taskOutputParameter", "taskOutputArtifact"} {
				if producer := inputs.message(name).message(from).text("producerTask"); producer != "" {
					names[producer] = true
				}
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return after(slices.Sorted(maps.Keys(names))...)
}
