package validators

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// secretRef is one place where a pod can't do without a Secret, or a key of it.
type secretRef struct {
	secret string
	key    string // empty where the Secret as a whole is needed
	path   *field.Path
	volume bool // a volume rather than a variable: the kubelet fails in other words
}

// requiredSecrets are the references of a pod to Secrets that the kubelet insists on: not those marked optional, and not
// the volumes that no container mounts, which it never sets up.
// Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/kubelet_pods.go makeEnvironmentVariables, pkg/volume/secret/secret.go,
// pkg/volume/projected/projected.go; pkg/api/v1/pod/util.go VisitPodSecretNames lists the fields.
func requiredSecrets(pod *forecast.Pod) []secretRef {
	var refs []secretRef
	mounted := map[string]bool{}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			refs = append(refs, variableSecrets(pod, c)...)
			for _, m := range c.VolumeMounts {
				mounted[m.Name] = true
			}
		}
	}
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; mounted[v.Name] {
			refs = append(refs, volumeSecrets(pod, v)...)
		}
	}
	return refs
}

func variableSecrets(pod *forecast.Pod, c *corev1.Container) []secretRef {
	var refs []secretRef
	for _, e := range c.EnvFrom {
		if s := e.SecretRef; s != nil && !isTrue(s.Optional) {
			refs = append(refs, secretRef{secret: s.Name, path: pod.EnvFromPath(c.Name, s.Name, child("secretRef"))})
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil || isTrue(e.ValueFrom.SecretKeyRef.Optional) {
			continue
		}
		s := e.ValueFrom.SecretKeyRef
		refs = append(refs, secretRef{secret: s.Name, key: s.Key, path: pod.EnvPath(c.Name, e.Name, child("valueFrom", "secretKeyRef"))})
	}
	return refs
}

func volumeSecrets(pod *forecast.Pod, v *corev1.Volume) []secretRef {
	var refs []secretRef
	add := func(name string, optional *bool, items []corev1.KeyToPath, at forecast.Within) {
		if isTrue(optional) {
			return
		}
		refs = append(refs, secretRef{secret: name, path: pod.VolumePath(v.Name, at), volume: true})
		for i, item := range items {
			path := pod.VolumePath(v.Name, func(p *field.Path) *field.Path { return at(p).Child("items").Index(i) })
			refs = append(refs, secretRef{secret: name, key: item.Key, path: path, volume: true})
		}
	}
	if s := v.Secret; s != nil {
		add(s.SecretName, s.Optional, s.Items, child("secret"))
	}
	if v.Projected != nil {
		for i, source := range v.Projected.Sources {
			if s := source.Secret; s != nil {
				add(s.Name, s.Optional, s.Items, func(p *field.Path) *field.Path {
					return p.Child("projected", "sources").Index(i).Child("secret")
				})
			}
		}
	}
	if source, name := pluginSecret(v); name != "" {
		refs = append(refs, secretRef{secret: name, path: pod.VolumePath(v.Name, child(source)), volume: true})
	}
	return refs
}

// pluginSecret is the Secret with which a volume's plugin logs in, and the kind of the volume. None can be optional. The
// other kinds of volumes that name one have no plugin in the kubelet any more, or don't hand it on.
// Source: k8s.io/kubernetes v1.37.2 pkg/volume/csi, pkg/volume/iscsi/iscsi.go, pkg/volume/flexvolume;
// k8s.io/csi-translation-lib v0.37.2 plugins/azure_file.go.
func pluginSecret(v *corev1.Volume) (source, name string) {
	var ref *corev1.LocalObjectReference
	switch {
	case v.CSI != nil:
		source, ref = "csi", v.CSI.NodePublishSecretRef
	case v.AzureFile != nil:
		return "azureFile", v.AzureFile.SecretName
	case v.FlexVolume != nil:
		source, ref = "flexVolume", v.FlexVolume.SecretRef
	case v.ISCSI != nil && (v.ISCSI.DiscoveryCHAPAuth || v.ISCSI.SessionCHAPAuth):
		source, ref = "iscsi", v.ISCSI.SecretRef
	}
	if ref == nil {
		return source, ""
	}
	return source, ref.Name
}

func child(name string, more ...string) forecast.Within {
	return func(p *field.Path) *field.Path { return p.Child(name, more...) }
}

func isTrue(b *bool) bool { return b != nil && *b }

// SecretUse is a Secret that a pod can't start without, and the keys that it needs of it.
type SecretUse struct {
	Name string
	Keys []string
}

// SecretUses lists what a pod can't start without, in the pod's order.
func SecretUses(pod *forecast.Pod) []SecretUse {
	var out []SecretUse
	for _, ref := range requiredSecrets(pod) {
		i := slices.IndexFunc(out, func(u SecretUse) bool { return u.Name == ref.secret })
		if i < 0 {
			i = len(out)
			out = append(out, SecretUse{Name: ref.secret})
		}
		if ref.key != "" && !slices.Contains(out[i].Keys, ref.key) {
			out[i].Keys = append(out[i].Keys, ref.key)
		}
	}
	return out
}
