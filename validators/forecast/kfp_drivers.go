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

// withDriverOutputs returns a template of KFP v2 whose tasks have what the drivers among them will put out, as far as that
// is known. Its other tasks take their pods' patches, their loops and the inputs of their own drivers from there. drivers
// are the templates of the drivers, prepared, by the place of the task.
func (w *walker) withDriverOutputs(t placed) (driven *wfv1.Template, drivers map[int]*placed) {
	known := values{}
	drivers = map[int]*placed{}
	for i := range t.DAG.Tasks {
		task := &t.DAG.Tasks[i]
		driver, ok := t.scope.template(task.Template)
		if !ok || driver.Container == nil || mayLoop(task) {
			continue
		}
		driver, err := w.prepare(driver, task.Arguments)
		if err != nil || driver.Container == nil {
			continue // the visit of the driver says so
		}
		outputs := w.kfp.Driver(driver.Container.Args)
		if outputs == nil {
			continue
		}
		drivers[i] = &driver
		if claim, ok := w.kfp.Claim(driver.Container.Args); ok {
			w.made([]Created{{Kind: "PersistentVolumeClaim", Name: claim}})
		}
		for name, value := range outputs {
			known["tasks."+task.Name+".outputs.parameters."+name] = value
		}
	}
	copied := *t.Template
	if err := resolve(w.work, &copied.DAG, known); err != nil {
		return t.Template, drivers
	}
	return &copied, drivers
}

// patchKFP applies the patch of a driver, which the Workflow's configuration at path led to.
func (p *Pod) patchKFP(b *budget, patch kfp.Patch, path *field.Path) (err error) {
	text, err := json.Marshal(patch.Spec)
	if err != nil {
		return err
	}
	p.RuntimeResources = append(p.RuntimeResources, patch.RuntimeResources...)
	p.sources.config, p.sources.configured = path, sets.New[string]()
	for _, c := range patch.Spec.Containers {
		for _, e := range c.Env {
			p.sources.configured.Insert("env/" + e.Name)
		}
	}
	for _, s := range patch.Spec.ImagePullSecrets {
		p.sources.configured.Insert("pull/" + s.Name)
	}
	for _, v := range patch.Spec.Volumes {
		p.sources.configured.Insert("volume/" + v.Name)
	}
	p.Spec, err = patched(b, p.Spec, string(text))
	return err
}

// configPath is where the Workflow has the Kubernetes configuration of a step: an argument, or with KFP before 2.3 an
// annotation. Nil where it is not the Workflow's own.
func (w *walker) configPath(config string) *field.Path {
	if config == "" || w.home.at != nil {
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
