package forecast

import (
	"fmt"
	"regexp"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// defaultRepositories is the ConfigMap that Argo looks for where a Workflow names none, and the annotation that names its
// default key.
// Source: argoproj/argo-workflows v3.7.3 workflow/artifactrepositories/artifactrepositories.go.
const (
	defaultRepositories  = "artifact-repositories"
	defaultRepositoryKey = "workflows.argoproj.io/default-artifact-repository"
)

// artifactRepository finds the repository that the Workflow's artifacts and logs go to: the one that it names, in its own
// namespace or the controller's; else the default of its namespace; else the controller's.
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
			return nil, fmt.Errorf("the artifact repository in ConfigMap %s of namespace %s can't be read: %w", cm.Name, namespace, err)
		}
		return &repository, nil
	}
	if ref != nil {
		return nil, fmt.Errorf("the artifactRepositoryRef names a ConfigMap or a key that is not there")
	}
	return w.controller.ArtifactRepository, nil
}

// archiveLocation is where the template's artifacts and logs go: its own location if it has one, the repository if it
// needs one.
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

// anyWithoutLocation reports whether an artifact does not say where it is kept.
func anyWithoutLocation(artifacts []wfv1.Artifact) bool {
	for i := range artifacts {
		if !artifacts[i].HasLocation() {
			return true
		}
	}
	return false
}

// repositoryLocation is where the repository is; nil if there is none.
func (w *walker) repositoryLocation() *wfv1.ArtifactLocation {
	if w.location == nil {
		w.location = w.repository.ToArtifactLocation()
	}
	return w.location
}

// withArtifactArguments returns the inputs of a template, each artifact that the caller gives in place of its own.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/util.go ProcessArgs.
func withArtifactArguments(inputs []wfv1.Artifact, args wfv1.Arguments) []wfv1.Artifact {
	out := slices.Clone(inputs)
	for i, in := range inputs {
		if arg := args.GetArtifactByName(in.Name); arg != nil {
			out[i] = *arg
			out[i].Path, out[i].Mode, out[i].RecurseMode = in.Path, in.Mode, in.RecurseMode
		}
	}
	return out
}

// addCredentials mounts the Secrets of every artifact location of the template into Argo's own containers.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go addVolumeReferences.
func addCredentials(spec *corev1.PodSpec, t *wfv1.Template) {
	volumes, mounts := credentialVolumes(locations(t))
	spec.Volumes = append(spec.Volumes, volumes...)
	addMounts(spec.InitContainers, InitContainer, mounts)
	addMounts(spec.Containers, WaitContainer, mounts)
	if t.Data != nil {
		addMounts(spec.Containers, MainContainer, mounts)
	}
}

// credentialVolumes are the volumes of the Secrets that artifact locations need, and their mounts: one for each Secret, under
// its name, with the keys that are needed. It does not matter here whether a selector or an artifact is optional: Argo
// drops that.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go createSecretVal.
func credentialVolumes(locations []*wfv1.ArtifactLocation) (volumes []corev1.Volume, mounts []corev1.VolumeMount) {
	index, has := map[string]int{}, map[[2]string]bool{}
	for _, location := range locations {
		for _, s := range credentials(location) {
			if s == nil || s.Name == "" || s.Key == "" {
				continue
			}
			i, ok := index[s.Name]
			if !ok {
				i = len(volumes)
				index[s.Name] = i
				volumes = append(volumes, corev1.Volume{Name: s.Name, VolumeSource: corev1.VolumeSource{
					Secret: &corev1.SecretVolumeSource{SecretName: s.Name},
				}})
				mounts = append(mounts, corev1.VolumeMount{Name: s.Name, MountPath: "/argo/secret/" + s.Name, ReadOnly: true})
			}
			if item := [2]string{s.Name, s.Key}; !has[item] {
				has[item] = true
				volumes[i].Secret.Items = append(volumes[i].Secret.Items, corev1.KeyToPath{Key: s.Key, Path: s.Key})
			}
		}
	}
	return volumes, mounts
}

// locations are all artifact locations of a template, in Argo's order.
func locations(t *wfv1.Template) []*wfv1.ArtifactLocation {
	var out []*wfv1.ArtifactLocation
	if t.ArchiveLocation != nil {
		out = append(out, t.ArchiveLocation)
	}
	for _, artifacts := range [][]wfv1.Artifact{t.Outputs.Artifacts, t.Inputs.Artifacts} {
		for i := range artifacts {
			out = append(out, &artifacts[i].ArtifactLocation)
		}
	}
	if t.Data != nil {
		if artifact, ok := t.Data.Source.GetArtifactIfNeeded(); ok {
			out = append(out, &artifact.ArtifactLocation)
		}
	}
	return out
}

// credentials are the Secrets that the driver of a location needs. The first driver that is set wins, in this order.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go createSecretVolumesFromArtifactLocations.
func credentials(l *wfv1.ArtifactLocation) []*corev1.SecretKeySelector {
	switch {
	case l == nil:
		return nil
	case l.S3 != nil:
		out := []*corev1.SecretKeySelector{l.S3.AccessKeySecret, l.S3.SecretKeySecret, l.S3.SessionTokenSecret}
		if e := l.S3.EncryptionOptions; e != nil && e.EnableEncryption {
			out = append(out, e.ServerSideCustomerKeySecret)
		}
		return append(out, l.S3.CASecret)
	case l.Git != nil:
		return []*corev1.SecretKeySelector{l.Git.UsernameSecret, l.Git.PasswordSecret, l.Git.SSHPrivateKeySecret}
	case l.Artifactory != nil:
		return []*corev1.SecretKeySelector{l.Artifactory.UsernameSecret, l.Artifactory.PasswordSecret}
	case l.HDFS != nil:
		return []*corev1.SecretKeySelector{l.HDFS.KrbCCacheSecret, l.HDFS.KrbKeytabSecret}
	case l.OSS != nil:
		return []*corev1.SecretKeySelector{l.OSS.AccessKeySecret, l.OSS.SecretKeySecret}
	case l.GCS != nil:
		return []*corev1.SecretKeySelector{l.GCS.ServiceAccountKeySecret}
	case l.HTTP != nil && l.HTTP.Auth != nil:
		a := l.HTTP.Auth
		return []*corev1.SecretKeySelector{
			a.BasicAuth.UsernameSecret, a.BasicAuth.PasswordSecret, a.ClientCert.ClientCertSecret, a.ClientCert.ClientKeySecret,
			a.OAuth2.ClientIDSecret, a.OAuth2.ClientSecretSecret, a.OAuth2.TokenURLSecret,
		}
	case l.Azure != nil:
		return []*corev1.SecretKeySelector{l.Azure.AccountKeySecret}
	}
	return nil
}

// artifactSource matches where an argument's artifact comes from: {{inputs.artifacts.A}}, or {{tasks.T.outputs.artifacts.A}}.
var artifactSource = regexp.MustCompile(`^\{\{\s*(?:inputs|(?:tasks|steps)\.([\w-]+)\.outputs)\.artifacts\.([\w-]+)\s*\}\}$`)

// resolveArtifactArguments returns the arguments of a call in t with the artifacts that come from t's inputs or from another step as far
// as their location is written down there; what the run decides, such as a key in the default repository, needs no
// Secrets of its own. callees are the templates of the other steps, by the steps' names.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/dag.go and steps.go, resolveReferences.
func resolveArtifactArguments(t scopedTemplate, args wfv1.Arguments, callees map[string]string) wfv1.Arguments {
	out := args
	out.Artifacts = slices.Clone(args.Artifacts)
	for i, a := range args.Artifacts {
		m := artifactSource.FindStringSubmatch(a.From)
		if m == nil {
			continue
		}
		from := t.Inputs.Artifacts
		if step := m[1]; step != "" {
			callee, _ := t.scope.lookup(callees[step])
			if callee.Template == nil {
				continue
			}
			from = callee.Outputs.Artifacts
		}
		for _, source := range from {
			if source.Name == m[2] && (m[1] == "" || source.HasLocation()) {
				out.Artifacts[i].ArtifactLocation = source.ArtifactLocation
			}
		}
	}
	return out
}
