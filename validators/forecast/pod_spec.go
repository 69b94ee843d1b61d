package forecast

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// assemblePod builds the pod of a template, in the controller's order. The comment on Pod.Spec
// lists what it leaves out. inExitHandler is set for the pod of an exit handler, to which the
// Workflow's deadline does not apply.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go createWorkflowPod.
func (w *walker) assemblePod(t scopedTemplate, inExitHandler bool) (Pod, error) {
	withLocation := *t.Template
	withLocation.ArchiveLocation = w.archiveLocation(t.Template)
	t.Template = &withLocation
	workflowDeadline := w.wf.Spec.ActiveDeadlineSeconds
	if inExitHandler {
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
		ServiceAccountName:    cmp.Or(t.ServiceAccountName, w.wf.Spec.ServiceAccountName),
		Affinity:              cmp.Or(t.Affinity, w.wf.Spec.Affinity),
		PriorityClassName:     cmp.Or(t.PriorityClassName, w.wf.Spec.PodPriorityClassName),
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

	pod := Pod{
		ArgoContainers:        argoContainers(t.Template),
		DeadlineUnknown:       hasUnknownDeadline(t.Template),
		MissingServiceAccount: missingAccount,
		sources:               w.sourcesOf(t),
		metadata:              podMetadata{w.wf.Name, w.wf.Spec.PodMetadata, t.Metadata},
		executorImage:         w.controller.executorImage(),
	}
	w.noteArgoV4Fields(&pod, t.Template)
	// The spec may contain tags from outside of the template: from the Workflow's volumes or the
	// controller's containers.
	if err := resolveTags(w.budget, &spec, t.inputs, w.globals); err != nil {
		return Pod{}, fmt.Errorf("the pod can't be read once its parameters are filled in: %w", err)
	}
	pod.Spec = spec
	if err := w.applyPatches(&pod, t); err != nil {
		return Pod{}, err
	}
	if seconds := timeoutSeconds(t.Template); seconds != nil {
		pod.Spec.ActiveDeadlineSeconds = seconds
	}
	seconds := pod.Spec.ActiveDeadlineSeconds
	pod.HasOwnDeadline = pod.DeadlineUnknown || seconds != nil && (workflowDeadline == nil || *seconds != *workflowDeadline)
	return pod, nil
}

// applyPatches applies the podSpecPatch of the Workflow and then that of the template. A patch that comes
// from a KFP v2 driver is applied in the form in which the driver would write it.
func (w *walker) applyPatches(pod *Pod, t scopedTemplate) (err error) {
	workflowPatch := resolveTagsInText(w.budget, resolveTagsInText(w.budget, w.wf.Spec.PodSpecPatch, t.inputs), w.globals)
	for _, patch := range []string{workflowPatch, t.PodSpecPatch} {
		if p, ok := w.kfpRun.Patch(patch); ok {
			err = pod.applyKFPPatch(w.budget, p, w.configPath(p.KubernetesConfig))
		} else {
			err = pod.applyPatch(w.budget, patch)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// applyPatch applies a podSpecPatch, if there is one. If the patch is known only at run time, it
// sets p.Unknown instead.
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
