package forecast

import (
	"fmt"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// Names of the containers that Argo adds, and of the author's container.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/common.go.
const (
	InitContainer = "init"
	WaitContainer = "wait"
	MainContainer = "main"
)

// mainContainers returns the containers that do the template's work, on top of the controller's
// mainContainer.
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
			// Concat copies, because other goroutines may read the template at the same time.
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

// executorContainer returns a container that runs Argo's executor.
func (w *walker) executorContainer(name string) corev1.Container {
	return corev1.Container{
		Name:         name,
		Env:          slices.Clone(w.controller.executorEnv()),
		Resources:    w.controller.executorResources(),
		VolumeMounts: w.controller.kubeConfigMount(),
	}
}

// hasWaitContainer reports whether Argo adds its wait container. It does unless the executor itself
// runs in the main container. A resource template also has one if its logs are saved.
func hasWaitContainer(t *wfv1.Template) bool {
	switch t.GetType() {
	case wfv1.TemplateTypeData:
		return false
	case wfv1.TemplateTypeResource:
		return t.SaveLogsAsArtifact()
	}
	return true
}

// argoContainers returns the names of the containers that Argo may add to a template's pod.
func argoContainers(t *wfv1.Template) []string {
	names := []string{InitContainer, WaitContainer}
	if t.Resource != nil || t.Data != nil {
		names = append(names, MainContainer)
	}
	return names
}
