package forecast

import (
	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// addCredentials mounts the Secrets of every artifact location of the template into Argo's own
// containers.
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

// credentialVolumes returns the volumes for the Secrets of artifact locations, and their mounts.
// Each Secret has one volume, which has the Secret's name and the needed keys. Argo ignores whether
// a selector or an artifact is optional.
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

// locations returns all artifact locations of a template, in Argo's order.
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

// credentials returns the Secrets that the artifact driver of a location needs. If several drivers
// are set, the first in this order wins.
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
