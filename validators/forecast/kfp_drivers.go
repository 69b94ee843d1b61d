package forecast

import (
	"encoding/json"
	"maps"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/kfp"
)

// withDriverOutputs returns a DAG template of KFP v2 in which references to the drivers' outputs
// are replaced, as far as the outputs are known. Other tasks get their pod's patch, their loop, and
// the inputs of their own drivers from them. drivers are the prepared templates of the drivers, by
// index of the task.
func (w *walker) withDriverOutputs(t scopedTemplate) (driven *wfv1.Template, drivers map[int]*scopedTemplate) {
	known := tagValues{}
	drivers = map[int]*scopedTemplate{}
	for i := range t.DAG.Tasks {
		task := &t.DAG.Tasks[i]
		driver, ok := t.scope.lookup(task.Template)
		if !ok || driver.Container == nil || isLoop(task) {
			continue
		}
		driver, err := w.prepare(driver, task.Arguments)
		if err != nil || driver.Container == nil {
			continue // visiting the driver will report the error
		}
		outputs := w.kfpRun.DriverOutputs(driver.Container.Args)
		if outputs == nil {
			continue
		}
		drivers[i] = &driver
		if claim, ok := w.kfpRun.CreatedPVC(driver.Container.Args); ok {
			w.recordCreated([]Created{{Kind: "PersistentVolumeClaim", Name: claim, pod: noPod}})
		}
		for name, value := range outputs {
			known["tasks."+task.Name+".outputs.parameters."+name] = value
		}
	}
	copied := *t.Template
	if err := resolveTags(w.budget, &copied.DAG, known); err != nil {
		return t.Template, drivers
	}
	return &copied, drivers
}

// applyKFPPatch applies the patch that a driver would create. path is the place of the step's
// configuration in the Workflow.
func (p *Pod) applyKFPPatch(b *budget, patch kfp.Patch, path *field.Path) (err error) {
	text, err := json.Marshal(patch.Spec)
	if err != nil {
		return err
	}
	p.RuntimeResources = append(p.RuntimeResources, patch.RuntimeResources...)
	p.sources.kfpConfigPath, p.sources.kfpConfigured = path, sets.New[string]()
	for _, c := range patch.Spec.Containers {
		for _, e := range c.Env {
			p.sources.kfpConfigured.Insert("env/" + e.Name)
		}
	}
	for _, s := range patch.Spec.ImagePullSecrets {
		p.sources.kfpConfigured.Insert("pull/" + s.Name)
	}
	for _, v := range patch.Spec.Volumes {
		p.sources.kfpConfigured.Insert("volume/" + v.Name)
	}
	p.Spec, err = applyPodSpecPatch(b, p.Spec, string(text))
	return err
}

// configPath returns the place of a step's Kubernetes configuration in the Workflow: an argument
// or, before KFP 2.3, an annotation. It returns nil if the configuration is not written in the
// Workflow.
func (w *walker) configPath(config string) *field.Path {
	if config == "" || w.workflowScope.refPath != nil {
		return nil
	}
	for i, p := range w.wf.Spec.Arguments.Parameters {
		if p.Value != nil && p.Value.String() == config {
			return field.NewPath("spec", "arguments", "parameters").Index(i).Child("value")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(w.wf.Annotations)) {
		if w.wf.Annotations[key] == config {
			return field.NewPath("metadata", "annotations").Key(key)
		}
	}
	return nil
}
