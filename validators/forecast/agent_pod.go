package forecast

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// HeaderSecret is a key of a Secret that Argo's agent sends as the header of an HTTP request. It
// has to exist even if the reference is marked optional.
// Source: argoproj/argo-workflows v3.7.3 workflow/executor/agent.go, workflow/util GetSecrets.
type HeaderSecret struct {
	Secret, Key string
	Origin      Origin
}

const (
	// agentKey is the agent pod's key in walker.podIndex.
	agentKey = "agent"
	// tokenVolume is the name of the agent pod's token volume, without the random letters that Argo
	// appends.
	tokenVolume = "kube-api-access"
)

// addToAgentPod records a step for the agent pod, which runs all HTTP and plugin templates of a
// Workflow. It adds the pod if it is not there yet.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/agent.go createAgentPod.
func (w *walker) addToAgentPod(t scopedTemplate, pos position) {
	w.recordHeaderSecrets(t, pos)
	if t.Plugin != nil || w.podsMarked(executorPluginsMark) {
		w.addGap(pos.steps, "the executor plugins of the cluster add containers to the Workflow's agent pod")
	}
	if i, ok := w.podIndex[agentKey]; ok {
		w.recordPath(i, pos)
		return
	}
	token, missing, err := w.tokenSecret(w.wf.Spec.ServiceAccountName)
	if err != nil {
		w.addGap(pos.steps, err.Error())
		return
	}
	container := corev1.Container{
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("10m"), "memory": resource.MustParse("64M")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("256M")},
		},
		VolumeMounts: []corev1.VolumeMount{{Name: tokenVolume, MountPath: tokenMountPath, ReadOnly: true}},
	}
	initContainer, mainContainer := container, container
	initContainer.Name, mainContainer.Name = InitContainer, MainContainer
	pod := Pod{
		Origin:                Origin{Template: t.Name, Path: t.path},
		ArgoContainers:        []string{InitContainer, MainContainer},
		MissingServiceAccount: missing,
		sources:               podSources{templatePath: t.path},
		metadata:              podMetadata{workflow: w.wf.Name, ofAll: w.wf.Spec.PodMetadata},
		executorImage:         w.controller.executorImage(),
	}
	pod.Spec = corev1.PodSpec{
		RestartPolicy:      corev1.RestartPolicyOnFailure,
		ImagePullSecrets:   w.wf.Spec.ImagePullSecrets,
		ServiceAccountName: w.wf.Spec.ServiceAccountName,
		PriorityClassName:  w.wf.Spec.PodPriorityClassName,
		InitContainers:     []corev1.Container{initContainer},
		Containers:         []corev1.Container{mainContainer},
		Volumes: []corev1.Volume{{Name: tokenVolume, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: token},
		}}},
	}
	if err := pod.applyPatch(w.budget, resolveTagsInText(w.budget, w.wf.Spec.PodSpecPatch, w.globals)); err != nil {
		w.addGap(pos.steps, err.Error())
		return
	}
	w.addPod(agentKey, pod, pos)
}

// recordHeaderSecrets records the Secrets in the headers of an HTTP template.
func (w *walker) recordHeaderSecrets(t scopedTemplate, pos position) {
	if t.HTTP == nil {
		return
	}
	for i, h := range t.HTTP.Headers {
		if h.ValueFrom == nil || h.ValueFrom.SecretKeyRef == nil {
			continue
		}
		s, path := h.ValueFrom.SecretKeyRef, t.path
		if t.scope.refPath == nil {
			path = t.path.Child("http", "headers").Index(i).Child("valueFrom", "secretKeyRef")
		}
		origin := Origin{Template: t.Name, Path: path}
		origin.addStep(pos)
		w.out.HeaderSecrets = append(w.out.HeaderSecrets, HeaderSecret{Secret: s.Name, Key: s.Key, Origin: origin})
	}
}
