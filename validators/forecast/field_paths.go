package forecast

import (
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// podSources remember where in the Workflow the parts of a pod are written, so that a finding about the pod can point at
// the line that the author can change.
type podSources struct {
	templatePath *field.Path
	// ownTemplate is the template that the parts come from. Nil where they have no places of their own: what comes from a WorkflowTemplate
	// has its place where the Workflow refers to that.
	ownTemplate     *wfv1.Template
	workflowVolumes map[string]*field.Path // the Workflow's volumes
	// original says that fields which the template sets have their place there.
	original *wfv1.Template
	// kfpConfigPath is where KFP v2 has the step's Kubernetes configuration, and configured what comes from there: the main
	// container's variables, and volumes.
	kfpConfigPath *field.Path
	kfpConfigured sets.Set[string]
}

type containerSource struct {
	path      *field.Path
	container *corev1.Container
}

// sourcesOf says where the parts of a template's pod come from.
func (w *walker) sourcesOf(t scopedTemplate) podSources {
	s := podSources{templatePath: t.path, original: t.original, workflowVolumes: w.volumePaths}
	if t.scope.refPath == nil {
		s.ownTemplate = t.original
	}
	return s
}

// container is where a container of the pod is written.
func (s podSources) container(name string) (found containerSource, ok bool) {
	t := s.ownTemplate
	if t == nil {
		return containerSource{}, false
	}
	switch {
	case name == MainContainer && t.Container != nil:
		found = containerSource{s.templatePath.Child("container"), t.Container}
	case name == MainContainer && t.Script != nil:
		found = containerSource{s.templatePath.Child("script"), &t.Script.Container}
	case t.ContainerSet != nil:
		for i := range t.ContainerSet.Containers {
			if c := &t.ContainerSet.Containers[i].Container; c.Name == name {
				found = containerSource{s.templatePath.Child("containerSet", "containers").Index(i), c}
			}
		}
	}
	of := func(path *field.Path, containers []wfv1.UserContainer) {
		for i := range containers {
			if c := &containers[i].Container; c.Name == name {
				found = containerSource{path.Index(i), c}
			}
		}
	}
	of(s.templatePath.Child("initContainers"), t.InitContainers)
	of(s.templatePath.Child("sidecars"), t.Sidecars)
	return found, found.container != nil
}

// volumePath is where a volume of the pod is written; nil if that is not in the Workflow.
func (s podSources) volumePath(name string) *field.Path {
	if s.ownTemplate != nil {
		for i, v := range slices.Backward(s.ownTemplate.Volumes) {
			if v.Name == name {
				return s.templatePath.Child("volumes").Index(i)
			}
		}
	}
	return s.workflowVolumes[name]
}

// fieldPath is the place of a field that the template sets; nil if it does not.
func (s podSources) fieldPath(name string) *field.Path {
	t := s.original
	if t == nil {
		return nil
	}
	value := map[string]string{
		"serviceAccountName": t.ServiceAccountName, "priorityClassName": t.PriorityClassName,
		"executor.serviceAccountName": executorAccount(t.Executor),
	}[name]
	switch {
	case value == "":
		return nil
	case s.ownTemplate == nil:
		return s.templatePath
	}
	return s.templatePath.Child(name)
}

// SubPath leads from the place of a part to a place inside of it.
type SubPath func(*field.Path) *field.Path

// EnvPath is the place in the Workflow where a container's variable is written, and in it the place that within leads to.
// Where the variable comes from elsewhere, such as the controller's configuration or a patch, it is the template's place.
func (p *Pod) EnvPath(container, variable string, within SubPath) *field.Path {
	src, ok := p.sources.container(container)
	if !ok {
		return p.sources.templatePath
	}
	i := slices.IndexFunc(src.container.Env, func(e corev1.EnvVar) bool { return e.Name == variable })
	if i < 0 && container == MainContainer {
		return p.sources.partPath("env/" + variable)
	}
	if i < 0 {
		return p.sources.templatePath
	}
	return within(src.path.Child("env").Index(i))
}

// EnvFromPath is the same for the place where a container takes all keys of an object as variables.
func (p *Pod) EnvFromPath(container string, from *corev1.EnvFromSource, within SubPath) *field.Path {
	src, ok := p.sources.container(container)
	if !ok {
		return p.sources.templatePath
	}
	i := slices.IndexFunc(src.container.EnvFrom, func(e corev1.EnvFromSource) bool {
		if from.SecretRef != nil {
			return e.SecretRef != nil && sameOrTag(e.SecretRef.Name, from.SecretRef.Name)
		}
		return from.ConfigMapRef != nil && e.ConfigMapRef != nil && sameOrTag(e.ConfigMapRef.Name, from.ConfigMapRef.Name)
	})
	if i < 0 {
		return p.sources.templatePath
	}
	return within(src.path.Child("envFrom").Index(i))
}

func sameOrTag(written, name string) bool { return written == name || HasTag(written) }

// PullSecretPath is the place where an image pull secret is named.
func (p *Pod) PullSecretPath(name string) *field.Path {
	if p.sources.kfpConfigPath != nil && p.sources.kfpConfigured.Has("pull/"+name) {
		return p.sources.kfpConfigPath
	}
	return field.NewPath("spec", "imagePullSecrets")
}

// FieldPath is the place of a field that a template may set, or else the Workflow's spec for all: where the template sets it,
// that, and otherwise the spec's field of the other name.
func (p *Pod) FieldPath(ofTemplate, ofSpec string) *field.Path {
	if path := p.sources.fieldPath(ofTemplate); path != nil {
		return path
	}
	return field.NewPath("spec").Child(ofSpec)
}

// VolumePath is the same for the place where a volume is written.
func (p *Pod) VolumePath(name string, within SubPath) *field.Path {
	if path := p.sources.volumePath(name); path != nil {
		return within(path)
	}
	return p.sources.partPath("volume/" + name)
}

// partPath is the place of something that the template doesn't have.
func (s podSources) partPath(part string) *field.Path {
	if s.kfpConfigPath != nil && s.kfpConfigured.Has(part) {
		return s.kfpConfigPath
	}
	return s.templatePath
}
