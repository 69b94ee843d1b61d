package forecast

import (
	"maps"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podMetadata is the metadata that a Workflow and a template give to a pod.
type podMetadata struct {
	workflow string // the Workflow's name
	ofAll    *wfv1.Metadata
	ofOne    wfv1.Metadata
}

// ExecutorImage is the image of Argo's own containers in a pod of [Pod.DryRun], unless the
// controller's configuration names another one.
const ExecutorImage = "quay.io/argoproj/argoexec:v3.7.3"

// DryRunName is the name of a pod of [Pod.DryRun].
const DryRunName = "kfp-preflight-dry-run"

// DryRun returns the pod with a spec in the form in which an API server can be asked about it, in a
// dry run: with the labels and annotations that select the cluster's webhooks, and with what
// Pod.Spec leaves out and the API server requires. spec is Pod.Spec, or a changed copy.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go createWorkflowPod, addMetadata.
func (p *Pod) DryRun(spec *corev1.PodSpec) *corev1.Pod {
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Name:        DryRunName,
			Labels:      map[string]string{"workflows.argoproj.io/completed": "false"},
			Annotations: map[string]string{},
		},
		Spec: *spec.DeepCopy(),
	}
	if p.metadata.workflow != "" {
		pod.Labels["workflows.argoproj.io/workflow"] = p.metadata.workflow
	}
	for _, m := range []*wfv1.Metadata{p.metadata.ofAll, &p.metadata.ofOne} {
		if m != nil {
			maps.Copy(pod.Labels, m.Labels)
			maps.Copy(pod.Annotations, m.Annotations)
		}
	}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			if containers[i].Image == "" {
				containers[i].Image = p.executorImage
			}
		}
	}
	return pod
}
