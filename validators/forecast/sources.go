package forecast

import (
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// sources remember where in the Workflow the parts of a pod are written, so that a finding about the pod can point at
// the line that the author can change.
type sources struct {
	template   *field.Path
	containers map[string]source
	volumes    map[string]*field.Path // the template's own
	shared     map[string]*field.Path // the Workflow's
	fields     map[string]*field.Path // that the template sets
	// config is where KFP v2 has the step's Kubernetes configuration, and configured what comes from there: the main
	// container's variables, and volumes.
	config     *field.Path
	configured sets.Set[string]
}

type source struct {
	path      *field.Path
	container *corev1.Container
}

// sourcesOf looks up the parts of a template's pod. What comes from a WorkflowTemplate has its place where the Workflow
// refers to that.
func (w *walker) sourcesOf(t placed) sources {
	s := sources{
		template: t.path, containers: map[string]source{}, volumes: map[string]*field.Path{}, shared: w.volumePaths,
		fields: map[string]*field.Path{},
	}
	written := t.written
	for name, value := range map[string]string{
		"serviceAccountName": written.ServiceAccountName, "priorityClassName": written.PriorityClassName,
		"executor.serviceAccountName": executorAccount(written.Executor),
	} {
		if value != "" && t.scope.at != nil {
			s.fields[name] = t.path
		} else if value != "" {
			s.fields[name] = t.path.Child(name)
		}
	}
	if t.scope.at != nil {
		return s
	}
	switch {
	case written.Container != nil:
		s.containers[MainContainer] = source{t.path.Child("container"), written.Container}
	case written.Script != nil:
		s.containers[MainContainer] = source{t.path.Child("script"), &written.Script.Container}
	case written.ContainerSet != nil:
		for i := range written.ContainerSet.Containers {
			c := &written.ContainerSet.Containers[i].Container
			s.containers[c.Name] = source{t.path.Child("containerSet", "containers").Index(i), c}
		}
	}
	s.userContainers(t.path.Child("initContainers"), written.InitContainers)
	s.userContainers(t.path.Child("sidecars"), written.Sidecars)
	for i, v := range written.Volumes {
		s.volumes[v.Name] = t.path.Child("volumes").Index(i)
	}
	return s
}

func (s sources) userContainers(path *field.Path, containers []wfv1.UserContainer) {
	for i := range containers {
		s.containers[containers[i].Name] = source{path.Index(i), &containers[i].Container}
	}
}

// Within leads from the place of a part to a place inside of it.
type Within func(*field.Path) *field.Path

// EnvPath is the place in the Workflow where a container's variable is written, and in it the place that within leads to.
// Where the variable comes from elsewhere, such as the controller's configuration or a patch, it is the template's place.
func (p *Pod) EnvPath(container, variable string, within Within) *field.Path {
	src, ok := p.sources.containers[container]
	if !ok {
		return p.sources.template
	}
	i := slices.IndexFunc(src.container.Env, func(e corev1.EnvVar) bool { return e.Name == variable })
	if i < 0 && container == MainContainer {
		return p.sources.of("env/" + variable)
	}
	if i < 0 {
		return p.sources.template
	}
	return within(src.path.Child("env").Index(i))
}

// EnvFromPath is the same for the place where a container takes all keys of an object as variables.
func (p *Pod) EnvFromPath(container string, from *corev1.EnvFromSource, within Within) *field.Path {
	src, ok := p.sources.containers[container]
	if !ok {
		return p.sources.template
	}
	i := slices.IndexFunc(src.container.EnvFrom, func(e corev1.EnvFromSource) bool {
		if from.SecretRef != nil {
			return e.SecretRef != nil && sameOrTag(e.SecretRef.Name, from.SecretRef.Name)
		}
		return from.ConfigMapRef != nil && e.ConfigMapRef != nil && sameOrTag(e.ConfigMapRef.Name, from.ConfigMapRef.Name)
	})
	if i < 0 {
		return p.sources.template
	}
	return within(src.path.Child("envFrom").Index(i))
}

func sameOrTag(written, name string) bool { return written == name || HasTag(written) }

// PullSecretPath is the place where an image pull secret is named.
func (p *Pod) PullSecretPath(name string) *field.Path {
	if p.sources.config != nil && p.sources.configured.Has("pull/"+name) {
		return p.sources.config
	}
	return field.NewPath("spec", "imagePullSecrets")
}

// FieldPath is the place of a field that a template may set, or else the Workflow's spec for all: where the template sets it,
// that, and otherwise the spec's field of the other name.
func (p *Pod) FieldPath(ofTemplate, ofSpec string) *field.Path {
	if path, ok := p.sources.fields[ofTemplate]; ok {
		return path
	}
	return field.NewPath("spec").Child(ofSpec)
}

// VolumePath is the same for the place where a volume is written.
func (p *Pod) VolumePath(name string, within Within) *field.Path {
	if path, ok := p.sources.volumes[name]; ok {
		return within(path)
	}
	if path, ok := p.sources.shared[name]; ok {
		return within(path)
	}
	return p.sources.of("volume/" + name)
}

// of is the place of something that the template doesn't have.
func (s sources) of(part string) *field.Path {
	if s.config != nil && s.configured.Has(part) {
		return s.config
	}
	return s.template
}
