package forecast

import (
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// podSources maps the parts of a pod to the places in the Workflow where they are written, so that
// a finding can point at the line to change.
type podSources struct {
	// templatePath is the place of the template, or where the Workflow refers to it.
	templatePath *field.Path
	// original is the template as written. It is nil for pods that come from no template of their
	// own.
	original *wfv1.Template
	// ownTemplate is original if it is written in the Workflow. It is nil for templates of a
	// WorkflowTemplate, whose parts have no place in the Workflow.
	ownTemplate *wfv1.Template
	// workflowVolumes are the places of the Workflow's volumes, by name.
	workflowVolumes map[string]*field.Path
	// kfpConfigPath is the place of a KFP v2 step's Kubernetes configuration. kfpConfigured holds
	// the parts of the pod that come from there: "env/NAME" for a variable of the main container,
	// "volume/NAME", and "pull/NAME" for an image pull secret.
	kfpConfigPath *field.Path
	kfpConfigured sets.Set[string]
}

// containerSource is the place of a container in the Workflow, and the container as written there.
type containerSource struct {
	path      *field.Path
	container *corev1.Container
}

// sourcesOf returns the sources of a template's pod.
func (w *walker) sourcesOf(t scopedTemplate) podSources {
	s := podSources{templatePath: t.path, original: t.original, workflowVolumes: w.volumePaths}
	if t.scope.refPath == nil {
		s.ownTemplate = t.original
	}
	return s
}

// container returns the source of a container. ok is false if it is not written in the Workflow.
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
	find := func(path *field.Path, containers []wfv1.UserContainer) {
		for i := range containers {
			if c := &containers[i].Container; c.Name == name {
				found = containerSource{path.Index(i), c}
			}
		}
	}
	find(s.templatePath.Child("initContainers"), t.InitContainers)
	find(s.templatePath.Child("sidecars"), t.Sidecars)
	return found, found.container != nil
}

// volumePath returns the place of a volume, or nil if it is not written in the Workflow.
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

// fieldPath returns the place of a field of the template, or nil if the template does not set it.
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

// SubPath extends the path of a part of a pod, such as a volume, to a field inside of it.
type SubPath func(*field.Path) *field.Path

// EnvPath returns the path in the Workflow of a container's environment variable, extended with
// subPath. If the variable comes from elsewhere, such as the controller's configuration or a patch,
// EnvPath returns the template's path.
func (p *Pod) EnvPath(container, variable string, subPath SubPath) *field.Path {
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
	return subPath(src.path.Child("env").Index(i))
}

// EnvFromPath is like EnvPath for an envFrom entry of a container.
func (p *Pod) EnvFromPath(container string, from *corev1.EnvFromSource, subPath SubPath) *field.Path {
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
	return subPath(src.path.Child("envFrom").Index(i))
}

// sameOrTag reports whether a name, as written, is or may become the given name.
func sameOrTag(written, name string) bool { return written == name || HasTag(written) }

// PullSecretPath returns the path in the Workflow of an image pull secret.
func (p *Pod) PullSecretPath(name string) *field.Path {
	if p.sources.kfpConfigPath != nil && p.sources.kfpConfigured.Has("pull/"+name) {
		return p.sources.kfpConfigPath
	}
	return field.NewPath("spec", "imagePullSecrets")
}

// FieldPath returns the path of templateField if the template sets it, or else that of specField,
// which sets the same for all pods of the Workflow.
func (p *Pod) FieldPath(templateField, specField string) *field.Path {
	if path := p.sources.fieldPath(templateField); path != nil {
		return path
	}
	return field.NewPath("spec").Child(specField)
}

// VolumePath is like EnvPath for a volume.
func (p *Pod) VolumePath(name string, subPath SubPath) *field.Path {
	if path := p.sources.volumePath(name); path != nil {
		return subPath(path)
	}
	return p.sources.partPath("volume/" + name)
}

// partPath returns the path of a part that is not in the template: that of KFP's configuration or
// else the template's.
func (s podSources) partPath(part string) *field.Path {
	if s.kfpConfigPath != nil && s.kfpConfigured.Has(part) {
		return s.kfpConfigPath
	}
	return s.templatePath
}
