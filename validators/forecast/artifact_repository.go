package forecast

import (
	"fmt"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"sigs.k8s.io/yaml"
)

// The ConfigMap that holds the artifact repositories of Workflows that name none, and the
// annotation on it that names the default key.
// Source: argoproj/argo-workflows v3.7.3 workflow/artifactrepositories/artifactrepositories.go.
const (
	defaultRepositories  = "artifact-repositories"
	defaultRepositoryKey = "workflows.argoproj.io/default-artifact-repository"
)

// artifactRepository looks up the repository for the Workflow's artifacts and logs. It is the one
// that the Workflow names, from its own namespace or the controller's. Without a name, it is the
// default of the namespace or else that of the controller's configuration.
func (w *walker) artifactRepository() (*ArtifactRepository, error) {
	if status := w.wf.Status.ArtifactRepositoryRef; status != nil && status.ArtifactRepository != nil {
		return &ArtifactRepository{ArtifactRepository: *status.ArtifactRepository}, nil
	}
	ref := w.wf.Spec.ArtifactRepositoryRef
	namespaces := []string{w.wf.Namespace}
	if ref != nil {
		namespaces = append(namespaces, w.controller.Namespace)
	}
	for _, namespace := range namespaces {
		cm, err := w.facts.ConfigMap(namespace, ref.GetConfigMapOr(defaultRepositories))
		if err != nil {
			return nil, err
		}
		if cm == nil {
			continue
		}
		text, ok := cm.Data[ref.GetKeyOr(cm.Annotations[defaultRepositoryKey])]
		if !ok {
			continue
		}
		var repository ArtifactRepository
		if err := yaml.Unmarshal([]byte(text), &repository); err != nil {
			return nil, fmt.Errorf("the artifact repository in ConfigMap %s of namespace %s can't be read: %w",
				cm.Name, namespace, err)
		}
		return &repository, nil
	}
	if ref != nil {
		return nil, fmt.Errorf("the artifactRepositoryRef names a ConfigMap or a key that does not exist")
	}
	return w.controller.ArtifactRepository, nil
}

// archiveLocation returns where the template's artifacts and logs are stored: its own location if
// it has one, or else the repository if it needs one.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go addArchiveLocation, IsArchiveLogs.
func (w *walker) archiveLocation(t *wfv1.Template) *wfv1.ArtifactLocation {
	if t.ArchiveLocation.HasLocation() {
		return t.ArchiveLocation
	}
	logs := w.repository.IsArchiveLogs()
	if !logs {
		if w.wf.Spec.ArchiveLogs != nil {
			logs = *w.wf.Spec.ArchiveLogs
		}
		if t.ArchiveLocation != nil && t.ArchiveLocation.ArchiveLogs != nil {
			logs = *t.ArchiveLocation.ArchiveLogs
		}
	}
	if !logs && !anyWithoutLocation(t.Inputs.Artifacts) && !anyWithoutLocation(t.Outputs.Artifacts) {
		return t.ArchiveLocation
	}
	location := w.repositoryLocation()
	if location == nil {
		return nil
	}
	own := *location
	own.ArchiveLogs = &logs
	return &own
}

// anyWithoutLocation reports whether any artifact does not name its location.
func anyWithoutLocation(artifacts []wfv1.Artifact) bool {
	for i := range artifacts {
		if !artifacts[i].HasLocation() {
			return true
		}
	}
	return false
}

// repositoryLocation returns the location of the repository, or nil if there is none.
func (w *walker) repositoryLocation() *wfv1.ArtifactLocation {
	if w.location == nil {
		w.location = w.repository.ToArtifactLocation()
	}
	return w.location
}
