package kfp

import (
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// IsV2 reports whether wf is a run of KFP v2. It looks for the label or annotation that KFP itself uses to tell.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler/argo.go.
func IsV2(wf *wfv1.Workflow) bool {
	const key = "pipelines.kubeflow.org/v2_component"
	m := wf.Spec.PodMetadata
	return m != nil && (m.Labels[key] == "true" || m.Annotations[key] == "true")
}

// IsGeneratedTask reports whether a task of a template is one that KFP's compiler adds around the pipeline's own tasks. Its name
// means nothing to the pipeline's author.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/compiler/argocompiler dag.go, container.go.
func IsGeneratedTask(template, task string) bool {
	switch task {
	case "root":
		return template == "entrypoint"
	case "executor":
		return strings.HasSuffix(template, "system-container-executor")
	case "iteration-iterations":
		return strings.HasSuffix(template, "-iterator")
	case "iteration-item":
		return strings.HasSuffix(template, "-iteration")
	}
	return false
}
