package forecast

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// Names that Argo gives to its containers.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/common.go.
const (
	InitContainer = "init"
	WaitContainer = "wait"
	MainContainer = "main"
)

// assemblePod builds the pod of a template, in the order in which the controller does. Of the mounts and variables that
// Argo adds for its own use only those matter that a rule can trip over. exit says that the pod is an exit handler's.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go createWorkflowPod.
func (w *walker) assemblePod(t scopedTemplate, exit bool) (Pod, error) {
	withLocation := *t.Template
	withLocation.ArchiveLocation = w.archiveLocation(t.Template)
	t.Template = &withLocation
	workflowDeadline := w.wf.Spec.ActiveDeadlineSeconds
	if exit {
		workflowDeadline = nil
	}
	main, err := w.mainContainers(t.Template)
	if err != nil {
		return Pod{}, err
	}
	spec := corev1.PodSpec{
		RestartPolicy:         corev1.RestartPolicyNever,
		Volumes:               slices.Concat(w.controller.kubeConfigVolume(), t.Volumes),
		ActiveDeadlineSeconds: activeDeadline(t.Template, workflowDeadline, main),
		ImagePullSecrets:      w.wf.Spec.ImagePullSecrets,
		ServiceAccountName:    firstSet(t.ServiceAccountName, w.wf.Spec.ServiceAccountName),
		Affinity:              cmp.Or(t.Affinity, w.wf.Spec.Affinity),
		PriorityClassName:     firstSet(t.PriorityClassName, w.wf.Spec.PodPriorityClassName),
	}
	spec.Containers = make([]corev1.Container, 0, len(main)+1+len(t.Sidecars))
	if hasWaitContainer(t.Template) {
		spec.Containers = append(spec.Containers, w.executorContainer(WaitContainer))
	}
	spec.Containers = append(spec.Containers, main...)
	spec.InitContainers = []corev1.Container{w.executorContainer(InitContainer)}
	if err := w.addMountedVolumes(&spec, t.Template); err != nil {
		return Pod{}, err
	}
	addCredentials(&spec, t.Template)
	missingAccount, err := w.addExecutorToken(&spec, t.Template)
	if err != nil {
		return Pod{}, err
	}
	addUserContainers(&spec, t.Template)
	mirrorMounts(&spec, t.Template)

	pod := Pod{sources: w.sourcesOf(t), MissingServiceAccount: missingAccount, ArgoContainers: argoContainers(t.Template), DeadlineUnknown: hasUnknownDeadline(t.Template)}
	w.noteArgoV4Fields(&pod, t.Template)
	// The spec may hold tags that did not come through the template: the Workflow's volumes, the controller's containers.
	if err := resolveTags(w.budget, &spec, t.inputs, w.globals); err != nil {
		return Pod{}, fmt.Errorf("the pod can't be read once its parameters are filled in: %w", err)
	}
	pod.Spec = spec
	workflowPatch := resolveTagsInText(w.budget, resolveTagsInText(w.budget, w.wf.Spec.PodSpecPatch, t.inputs), w.globals)
	for _, patch := range []string{workflowPatch, t.PodSpecPatch} {
		if p, ok := w.kfpRun.Patch(patch); ok {
			err = pod.applyKFPPatch(w.budget, p, w.configPath(p.Config))
		} else {
			err = pod.applyPatch(w.budget, patch)
		}
		if err != nil {
			return Pod{}, err
		}
	}
	if seconds := timeoutSeconds(t.Template); seconds != nil {
		pod.Spec.ActiveDeadlineSeconds = seconds
	}
	return pod, nil
}

// applyPatch applies a podSpecPatch, if there is one. One that is not known before run time is noted.
func (p *Pod) applyPatch(b *budget, patch string) (err error) {
	switch {
	case patch == "":
	case HasTag(patch):
		p.Unknown = "its podSpecPatch exists only at run time"
	default:
		p.Spec, err = applyPodSpecPatch(b, p.Spec, patch)
	}
	return err
}

// mainContainers are the containers that do the template's work, on top of the controller's mainContainer.
func (w *walker) mainContainers(t *wfv1.Template) ([]corev1.Container, error) {
	var main []corev1.Container
	switch t.GetType() {
	case wfv1.TemplateTypeContainer:
		main = []corev1.Container{*t.Container}
	case wfv1.TemplateTypeScript:
		main = []corev1.Container{t.Script.Container}
	case wfv1.TemplateTypeContainerSet:
		for _, node := range t.ContainerSet.GetGraph() {
			c := node.Container
			// A new slice: the template may belong to somebody who looks at it at the same time.
			c.VolumeMounts = slices.Concat(c.VolumeMounts, t.ContainerSet.VolumeMounts)
			main = append(main, c)
		}
	case wfv1.TemplateTypeResource, wfv1.TemplateTypeData:
		main = []corev1.Container{w.executorContainer(MainContainer)}
	}
	for i := range main {
		if main[i].Name == "" || t.GetType() != wfv1.TemplateTypeContainerSet {
			main[i].Name = MainContainer
		}
		if w.controller.MainContainer == nil {
			continue
		}
		merged, err := strategicMerge(w.budget, *w.controller.MainContainer, main[i])
		if err != nil {
			return nil, fmt.Errorf("the controller's mainContainer can't be merged under container %s: %w", main[i].Name, err)
		}
		main[i] = merged
	}
	return main, nil
}

// executorContainer is a container that runs Argo's executor.
func (w *walker) executorContainer(name string) corev1.Container {
	return corev1.Container{
		Name:         name,
		Env:          slices.Clone(w.controller.executorEnv()),
		Resources:    w.controller.executorResources(),
		VolumeMounts: w.controller.kubeConfigMount(),
	}
}

// hasWaitContainer reports whether Argo adds its wait container: always, but for a template whose main container is the executor
// itself. A resource template has one where its logs are kept.
func hasWaitContainer(t *wfv1.Template) bool {
	switch t.GetType() {
	case wfv1.TemplateTypeData:
		return false
	case wfv1.TemplateTypeResource:
		return t.SaveLogsAsArtifact()
	}
	return true
}

// argoContainers are the containers that Argo adds to a template's pod.
func argoContainers(t *wfv1.Template) []string {
	names := []string{InitContainer, WaitContainer}
	if t.Resource != nil || t.Data != nil {
		names = append(names, MainContainer)
	}
	return names
}

// hasUnknownDeadline reports whether a template's deadline is known only at run time.
func hasUnknownDeadline(t *wfv1.Template) bool {
	return HasTag(t.Timeout) || t.ActiveDeadlineSeconds != nil && HasTag(t.ActiveDeadlineSeconds.String())
}

// activeDeadline is the pod's activeDeadlineSeconds: the sooner of the template's own and what is left of the Workflow's. Nil where
// none is set, where the template's is known only at run time, and for a container that waits to be debugged.
func activeDeadline(t *wfv1.Template, workflow *int64, main []corev1.Container) *int64 {
	for _, c := range main {
		for _, e := range c.Env {
			if e.Name == "ARGO_DEBUG_PAUSE_BEFORE" || e.Name == "ARGO_DEBUG_PAUSE_AFTER" {
				return nil
			}
		}
	}
	if t.ActiveDeadlineSeconds == nil {
		return workflow
	}
	own, err := strconv.ParseInt(t.ActiveDeadlineSeconds.String(), 10, 64)
	switch {
	case err != nil:
		return nil
	case workflow != nil && *workflow < own:
		return workflow
	}
	return &own
}

// timeoutSeconds is the pod's activeDeadlineSeconds where the template has a timeout, which takes the place of any other.
func timeoutSeconds(t *wfv1.Template) (seconds *int64) {
	if t.Timeout == "" {
		return nil
	}
	d, err := time.ParseDuration(t.Timeout)
	if err != nil {
		return nil
	}
	seconds64 := int64(d.Seconds())
	return &seconds64
}

// addExecutorToken mounts the token of the ServiceAccount that Argo's own containers run as, if one is named for them.
// That account may be missing.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go setupServiceAccount, newExecContainer.
func (w *walker) addExecutorToken(spec *corev1.PodSpec, t *wfv1.Template) (missing string, err error) {
	account := firstSet(executorAccount(t.Executor), executorAccount(w.wf.Spec.Executor))
	if account == "" {
		return "", nil
	}
	token, missing, err := w.tokenSecret(account)
	if err != nil || missing != "" {
		return missing, err
	}
	const name = "exec-sa-token"
	spec.Volumes = append(spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: token}}})
	mounts := []corev1.VolumeMount{{Name: name, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true}}
	addMounts(spec.InitContainers, InitContainer, mounts)
	addMounts(spec.Containers, WaitContainer, mounts)
	if t.Resource != nil || t.Data != nil {
		addMounts(spec.Containers, MainContainer, mounts)
	}
	return "", nil
}

func executorAccount(executor *wfv1.ExecutorConfig) string {
	if executor == nil {
		return ""
	}
	return executor.ServiceAccountName
}

func firstSet(first, second string) string {
	if first != "" {
		return first
	}
	return second
}
