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

// IsPipelineSpec reports whether raw is the JSON of a PipelineSpec, which is what the KFP SDK v2 compiles a pipeline to.
func IsPipelineSpec(raw []byte) bool {
	m := parseMessage(string(raw))
	return m.message("pipelineInfo") != nil && m.message("root") != nil
}

// IsPlatformSpec reports whether raw is the JSON of a PlatformSpec: the Kubernetes configuration of a pipeline, which follows the
// PipelineSpec in the same file.
func IsPlatformSpec(raw []byte) bool { return parseMessage(string(raw)).message("platforms") != nil }

// Compiled is a compiled pipeline.
type Compiled struct {
	Workflow *wfv1.Workflow
	// ParameterPaths holds, for each parameter of the Workflow in order, the path of its value in the pipeline. A path that
	// begins with platforms is one in the PlatformSpec.
	ParameterPaths []string
}

// Compile compiles a PipelineSpec and a PlatformSpec, which may be empty, to the Workflow that KFP's API server would create for
// a run with the default values of all parameters. The Workflow holds only what affects its pods.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/argo.go Compile, dag.go, backend/src/v2/compiler/visitor.go.
func Compile(pipeline, platforms []byte) (*Compiled, error) {
	spec := parseMessage(string(pipeline))
	c := compiler{
		components: spec.message("components"), executors: spec.message("deploymentSpec").message("executors"),
		kubernetes: parseMessage(string(platforms)).message("platforms").message("kubernetes"),
		visited:    map[string]bool{},
	}
	name := spec.message("pipelineInfo").string("name")
	c.result.Workflow = &wfv1.Workflow{
		TypeMeta:   metav1.TypeMeta{APIVersion: "argoproj.io/v1alpha1", Kind: "Workflow"},
		ObjectMeta: metav1.ObjectMeta{GenerateName: name[strings.LastIndex(name, "/")+1:] + "-"},
		Spec: wfv1.WorkflowSpec{
			Entrypoint:  "entrypoint",
			PodMetadata: &wfv1.Metadata{Labels: map[string]string{"pipelines.kubeflow.org/v2_component": "true"}},
			Templates:   append(driverTemplates(), executorTemplates()...),
		},
	}
	if c.kubernetes.message("pipelineConfig").message("workspace") != nil {
		pvc := corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "kfp-workspace"}}
		c.result.Workflow.Spec.VolumeClaimTemplates = append(c.result.Workflow.Spec.VolumeClaimTemplates, pvc)
	}
	if err := c.compileComponent("root", spec.message("root"), "root"); err != nil {
		return nil, err
	}
	runtimeConfig, err := defaultRuntimeConfig(spec.message("root"))
	if err != nil {
		return nil, err
	}
	c.addTemplate("entrypoint", nil,
		wfv1.DAGTask{Name: "root-driver", Template: dagDriver, Arguments: arguments(
			"component", workflowParameterTag("components-root"), "runtime-config", runtimeConfig, "driver-type", "ROOT_DAG",
		)},
		wfv1.DAGTask{Name: "root", Template: "root", Depends: allSucceeded("root-driver"), Arguments: arguments(
			"parent-dag-id", taskOutputTag("root-driver", "execution-id"), "condition", "",
		)})
	return &c.result, nil
}

// defaultRuntimeConfig returns the JSON of the runtime config of a run with the default values of all parameters.
func defaultRuntimeConfig(root message) (string, error) {
	values := map[string]any{}
	parameters := root.message("inputDefinitions").message("parameters")
	for _, name := range parameters.keys() {
		p := parameters.message(name)
		if optional := p.optionalBool("isOptional"); p.get("defaultValue") != nil || optional != nil && *optional {
			values[name] = p.get("defaultValue")
		}
	}
	return toText(map[string]any{"parameterValues": values})
}

// compiler is a compilation in progress.
type compiler struct {
	components, executors, kubernetes message

	result  Compiled
	visited map[string]bool // components by name
}

// compileComponent adds the arguments of a component and, if it is a DAG, its templates after those of its tasks. path is the
// component's path in the pipeline.
func (c *compiler) compileComponent(name string, component message, path string) error {
	if c.visited[name] {
		return nil
	}
	c.visited[name] = true
	if label := component.string("executorLabel"); label != "" {
		return c.compileExecutor(name, component, path, label)
	}
	tasks := component.message("dag").message("tasks")
	if tasks == nil {
		return fmt.Errorf("component %s is neither an executor nor a group of tasks", name)
	}
	for _, task := range tasks.keys() {
		child := tasks.message(task).message("componentRef").string("name")
		childComponent := c.components.message(child)
		if childComponent == nil {
			return fmt.Errorf("there is no component '%s', which task %s of %s names", child, task, name)
		}
		if err := c.compileComponent(child, childComponent, "components["+child+"]"); err != nil {
			return err
		}
	}
	if err := c.addArgument("components-"+name, component, path); err != nil {
		return err
	}
	return c.compileDAG(name, tasks)
}

// compileExecutor adds the arguments of a component that is a container or an importer.
func (c *compiler) compileExecutor(name string, component message, path, label string) error {
	executor := c.executors.message(label)
	if executor == nil {
		return fmt.Errorf("deploymentSpec.executors has no %s, which component %s names", label, name)
	}
	if err := c.addArgument("components-"+name, component, path); err != nil {
		return err
	}
	if config := c.kubernetesConfig(label); config != nil {
		err := c.addArgument("kubernetes-"+name, config, "platforms.kubernetes.deploymentSpec.executors["+label+"]")
		if err != nil {
			return err
		}
	}
	for _, kind := range []string{"container", "importer"} {
		if impl := executor.message(kind); impl != nil {
			return c.addArgument("implementations-"+name, impl, "deploymentSpec.executors["+label+"]."+kind)
		}
	}
	return fmt.Errorf("deploymentSpec.executors[%s] is neither a container nor an importer", label)
}

// kubernetesConfig returns the Kubernetes configuration of an executor, nil if it has none.
func (c *compiler) kubernetesConfig(label string) message {
	return c.kubernetes.message("deploymentSpec").message("executors").message(label)
}

// compileDAG adds the template of a DAG, and one for each of its exit handlers. A task that runs even if another one fails is
// that task's exit handler.
func (c *compiler) compileDAG(name string, tasks message) error {
	exitTemplates := map[string]string{} // of the exit handlers, by the name of the task that they belong to
	var dagTasks []wfv1.DAGTask
	for _, isExitHandler := range []bool{true, false} {
		for _, key := range tasks.keys() {
			task := tasks.message(key)
			if (task.message("triggerPolicy").string("strategy") == "ALL_UPSTREAM_TASKS_COMPLETED") != isExitHandler {
				continue
			}
			compiled, err := c.compileTask(key, task, taskContext{exitTemplate: exitTemplates[key], isExitHandler: isExitHandler})
			switch {
			case err != nil:
				return err
			case isExitHandler:
				template := "exit-hook-" + name + "-" + key
				for _, upstream := range task.strings("dependentTasks") {
					exitTemplates[upstream] = template
				}
				c.addTemplate(template, []wfv1.Parameter{parentDAGInput}, compiled...)
			default:
				dagTasks = append(dagTasks, compiled...)
			}
		}
	}
	if len(dagTasks) == 0 {
		return errors.New("component " + name + " has no tasks other than exit handlers")
	}
	c.addTemplate(name, []wfv1.Parameter{parentDAGInput}, dagTasks...)
	return nil
}

// dummyImages are the images of components that the driver itself executes.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/container.go dummyImages.
var dummyImages = []string{createPVCImage, "argostub/deletepvc"}

// taskContext is what a task's templates depend on, besides the task itself.
type taskContext struct {
	exitTemplate  string // the template of the task's exit handler, if it has one
	isExitHandler bool   // whether the task is an exit handler
	isIteration   bool   // whether the task is an iteration of a loop
	loopTask      string // the name of the loop's task, for an iteration
}

// compileTask returns the tasks of a DAG template that stand for a task of the pipeline: its driver, and the task that the driver
// prepares.
func (c *compiler) compileTask(name string, task message, context taskContext) ([]wfv1.DAGTask, error) {
	component := task.message("componentRef").string("name")
	taskJSON, err := toJSON(task)
	if err != nil {
		return nil, err
	}
	if task.message("parameterIterator") != nil && !context.isIteration {
		return c.compileLoop(name, component, task, taskJSON)
	}
	label := c.components.message(component).string("executorLabel")
	executor := c.executors.message(label)
	if label != "" && executor.message("importer") != nil {
		return []wfv1.DAGTask{{Name: name, Template: importerTemplate, Depends: dependsExpression(task), Arguments: arguments(
			"task", taskJSON, "component", workflowParameterTag("components-"+component),
			"importer", workflowParameterTag("implementations-"+component), "parent-dag-id", parentDAGTag,
		)}}, nil
	}
	driver := c.driverTask(name, component, task, taskJSON, context)
	prepared := wfv1.DAGTask{Name: name, Template: component, Depends: allSucceeded(driver.Name), Arguments: arguments(
		"parent-dag-id", taskOutputTag(driver.Name, "execution-id"), "condition", taskOutputTag(driver.Name, "condition"),
	)}
	if label != "" {
		driver.Template = containerDriver
		addArguments(&driver, "container", workflowParameterTag("implementations-"+component))
		if c.kubernetesConfig(label) != nil {
			addArguments(&driver, "kubernetes-config", workflowParameterTag("kubernetes-"+component))
		}
		if slices.Contains(dummyImages, executor.message("container").string("image")) {
			driver.Name = name // the driver creates or deletes a PersistentVolumeClaim, and there is no step
			return []wfv1.DAGTask{driver}, nil
		}
		prepared.Template = containerExecutor
		prepared.Arguments = arguments(
			"pod-spec-patch", taskOutputTag(driver.Name, "pod-spec-patch"),
			"cached-decision", taskOutputTag(driver.Name, "cached-decision"),
		)
	}
	if task.message("triggerPolicy").string("condition") != "" {
		prepared.When = taskOutputTag(driver.Name, "condition") + " != false"
	}
	if context.exitTemplate != "" {
		hook := wfv1.LifecycleHook{Template: context.exitTemplate, Arguments: arguments("parent-dag-id", parentDAGTag)}
		prepared.Hooks = wfv1.LifecycleHooks{wfv1.ExitLifecycleEvent: hook}
	}
	return []wfv1.DAGTask{driver, prepared}, nil
}

// driverTask returns the task that runs the DAG driver of a task of the pipeline.
func (c *compiler) driverTask(name, component string, task message, taskJSON string, context taskContext) wfv1.DAGTask {
	taskName := name
	if context.loopTask != "" {
		taskName = context.loopTask
	}
	driver := wfv1.DAGTask{Name: name + "-driver", Template: dagDriver, Arguments: arguments(
		"component", workflowParameterTag("components-"+component), "task", taskJSON, "task-name", taskName,
		"parent-dag-id", parentDAGTag,
	)}
	if context.isIteration {
		addArguments(&driver, "iteration-index", inputTag("iteration-index"))
	} else if !context.isExitHandler {
		driver.Depends = dependsExpression(task)
	}
	return driver
}

// compileLoop adds the templates of a loop and of its iterations, and returns the task that runs the loop.
func (c *compiler) compileLoop(name, component string, task message, taskJSON string) ([]wfv1.DAGTask, error) {
	iterationTasks, err := c.compileTask("iteration-item", task, taskContext{isIteration: true, loopTask: name})
	if err != nil {
		return nil, err
	}
	iteration, iterator := component+"-"+name+"-iteration", component+"-"+name+"-iterator"
	c.addTemplate(iteration, []wfv1.Parameter{parentDAGInput, {Name: "iteration-index"}}, iterationTasks...)
	driver := wfv1.DAGTask{Name: "iteration-driver", Template: dagDriver, Arguments: arguments(
		"component", workflowParameterTag("components-"+component), "task", taskJSON, "task-name", name, "parent-dag-id", parentDAGTag,
	)}
	count := intstr.FromString(taskOutputTag(driver.Name, "iteration-count"))
	iterations := wfv1.DAGTask{
		Name: "iteration-iterations", Template: iteration, Depends: allSucceeded(driver.Name),
		WithSequence: &wfv1.Sequence{Count: &count},
		Arguments:    arguments("parent-dag-id", taskOutputTag(driver.Name, "execution-id"), "iteration-index", "{{item}}"),
	}
	if task.message("triggerPolicy").string("condition") != "" {
		iterations.When = taskOutputTag(driver.Name, "condition") + " != false"
	}
	c.addTemplate(iterator, []wfv1.Parameter{parentDAGInput}, driver, iterations)
	return []wfv1.DAGTask{{
		Name: name, Template: iterator, Depends: dependsExpression(task), Arguments: arguments("parent-dag-id", parentDAGTag),
	}}, nil
}

// dependsExpression returns Argo's depends expression for a task: the tasks that it names and those whose outputs it uses must
// have succeeded.
func dependsExpression(task message) string {
	names := map[string]bool{}
	for _, name := range task.strings("dependentTasks") {
		names[name] = true
	}
	for _, kind := range []string{"parameters", "artifacts"} {
		inputs := task.message("inputs").message(kind)
		for _, name := range inputs.keys() {
			for _, source := range []string{"taskOutputParameter", "taskOutputArtifact"} {
				if producer := inputs.message(name).message(source).string("producerTask"); producer != "" {
					names[producer] = true
				}
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return allSucceeded(slices.Sorted(maps.Keys(names))...)
}

func allSucceeded(tasks ...string) string {
	return strings.Join(tasks, ".Succeeded && ") + ".Succeeded"
}

// parentDAGInput is the input parameter of a DAG template that holds the ID of the DAG, and parentDAGTag its tag.
var (
	parentDAGInput = wfv1.Parameter{Name: "parent-dag-id"}
	parentDAGTag   = inputTag(parentDAGInput.Name)
)

// addTemplate adds a DAG template to the Workflow.
func (c *compiler) addTemplate(name string, inputs []wfv1.Parameter, tasks ...wfv1.DAGTask) {
	spec := &c.result.Workflow.Spec
	template := wfv1.Template{Name: name, Inputs: wfv1.Inputs{Parameters: inputs}, DAG: &wfv1.DAGTemplate{Tasks: tasks}}
	spec.Templates = append(spec.Templates, template)
}

// addArgument adds a parameter with a JSON value to the arguments of the Workflow. path is the value's path in the pipeline.
func (c *compiler) addArgument(name string, value message, path string) error {
	text, err := toJSON(value)
	if err != nil {
		return err
	}
	a := &c.result.Workflow.Spec.Arguments
	a.Parameters = append(a.Parameters, arguments(name, text).Parameters...)
	c.result.ParameterPaths = append(c.result.ParameterPaths, path)
	return nil
}

// addArguments adds arguments to a task, from alternating names and values of parameters.
func addArguments(task *wfv1.DAGTask, namesAndValues ...string) {
	task.Arguments.Parameters = append(task.Arguments.Parameters, arguments(namesAndValues...).Parameters...)
}

func toJSON(m message) (string, error) { return toText(map[string]any(m)) }
