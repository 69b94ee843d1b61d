package validators

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// way is how a pod comes to an object. It decides what the pod meets if the object is not there.
type way int

const (
	byVariable   way = iota // the kubelet makes no container without it
	byVolume                // the kubelet mounts no volume without it
	byScheduler             // the scheduler finds no node without it
	byAdmission             // the API server refuses the pod without it
	byController            // Argo's controller makes no pod without it
	byRequest               // Argo's agent can't send a request without it
	byPull                  // the kubelet pulls images without it, which fails only for private ones
)

// reference is one place where a pod can't do without an object, or a key of it.
type reference struct {
	ObjectRef
	key string // empty where the object as a whole is needed
	// path is asked for only where something is wrong, which is seldom.
	path func() *field.Path
	way  way
}

// references are the objects that a pod can't start without, in the pod's order: not those marked optional, and not the
// volumes that no container mounts, which the kubelet never sets up.
// Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/kubelet_pods.go makeEnvironmentVariables, pkg/volume/secret/secret.go,
// pkg/volume/configmap/configmap.go, pkg/volume/projected/projected.go; pkg/api/v1/pod/util.go VisitPodSecretNames and
// VisitPodConfigmapNames list the fields.
func references(pod *forecast.Pod) []reference {
	refs := admissionReferences(pod)
	mounted := map[string]bool{}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			refs = append(refs, variableReferences(pod, c)...)
			for _, m := range c.VolumeMounts {
				mounted[m.Name] = true
			}
		}
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if mounted[v.Name] {
			refs = append(refs, volumeReferences(pod, v)...)
		}
		if claim := v.PersistentVolumeClaim; claim != nil { // mounted or not
			path := func() *field.Path { return pod.VolumePath(v.Name, child("persistentVolumeClaim", "claimName")) }
			refs = append(refs, reference{ObjectRef{PersistentVolumeClaim, claim.ClaimName}, "", path, byScheduler})
		}
	}
	for _, s := range pod.Spec.ImagePullSecrets {
		refs = append(refs, reference{ObjectRef{Secret, s.Name}, "", func() *field.Path { return pod.PullSecretPath(s.Name) }, byPull})
	}
	return slices.DeleteFunc(refs, func(r reference) bool { return r.Name == "" })
}

// admissionReferences are those without which the API server refuses the pod, or Argo's controller doesn't even make it. The API
// server makes a ServiceAccount called default in every namespace.
// Source: k8s.io/kubernetes v1.37.2 plugin/pkg/admission/serviceaccount, plugin/pkg/admission/priority;
// argoproj/argo-workflows v3.7.3 util/secrets TokenNameForServiceAccount.
func admissionReferences(pod *forecast.Pod) []reference {
	var refs []reference
	account := func(name, at string, by way) {
		if name != "default" {
			refs = append(refs, reference{ObjectRef{ServiceAccount, name}, "", func() *field.Path { return pod.FieldPath(at, at) }, by})
		}
	}
	if own := pod.Spec.ServiceAccountName; own == pod.MissingServiceAccount {
		account(own, "serviceAccountName", byController)
	} else {
		account(pod.MissingServiceAccount, "executor.serviceAccountName", byController)
		account(own, "serviceAccountName", byAdmission)
	}
	if class := pod.Spec.PriorityClassName; class != "" {
		path := func() *field.Path { return pod.FieldPath("priorityClassName", "podPriorityClassName") }
		refs = append(refs, reference{ObjectRef{PriorityClass, class}, "", path, byAdmission})
	}
	return refs
}

func variableReferences(pod *forecast.Pod, c *corev1.Container) []reference {
	var refs []reference
	for i, e := range c.EnvFrom {
		add := func(kind, name string, optional *bool, at string) {
			if !isTrue(optional) {
				path := func() *field.Path { return pod.EnvFromPath(c.Name, &c.EnvFrom[i], child(at)) }
				refs = append(refs, reference{ObjectRef{kind, name}, "", path, byVariable})
			}
		}
		if s := e.SecretRef; s != nil {
			add(Secret, s.Name, s.Optional, "secretRef")
		}
		if m := e.ConfigMapRef; m != nil {
			add(ConfigMap, m.Name, m.Optional, "configMapRef")
		}
	}
	for _, e := range c.Env {
		add := func(kind, name, key string, optional *bool, at string) {
			if !isTrue(optional) {
				path := func() *field.Path { return pod.EnvPath(c.Name, e.Name, child("valueFrom", at)) }
				refs = append(refs, reference{ObjectRef{kind, name}, key, path, byVariable})
			}
		}
		if e.ValueFrom == nil {
			continue
		}
		if s := e.ValueFrom.SecretKeyRef; s != nil {
			add(Secret, s.Name, s.Key, s.Optional, "secretKeyRef")
		}
		if m := e.ValueFrom.ConfigMapKeyRef; m != nil {
			add(ConfigMap, m.Name, m.Key, m.Optional, "configMapKeyRef")
		}
	}
	return refs
}

func volumeReferences(pod *forecast.Pod, v *corev1.Volume) []reference {
	var refs []reference
	add := func(kind, name string, optional *bool, items []corev1.KeyToPath, at forecast.SubPath) {
		if isTrue(optional) {
			return
		}
		refs = append(refs, reference{ObjectRef{kind, name}, "", func() *field.Path { return pod.VolumePath(v.Name, at) }, byVolume})
		for i, item := range items {
			path := func() *field.Path {
				return pod.VolumePath(v.Name, func(p *field.Path) *field.Path { return at(p).Child("items").Index(i) })
			}
			refs = append(refs, reference{ObjectRef{kind, name}, item.Key, path, byVolume})
		}
	}
	if s := v.Secret; s != nil {
		add(Secret, s.SecretName, s.Optional, s.Items, child("secret"))
	}
	if m := v.ConfigMap; m != nil {
		add(ConfigMap, m.Name, m.Optional, m.Items, child("configMap"))
	}
	if v.Projected != nil {
		for i, source := range v.Projected.Sources {
			at := func(name string) forecast.SubPath {
				return func(p *field.Path) *field.Path { return p.Child("projected", "sources").Index(i).Child(name) }
			}
			if s := source.Secret; s != nil {
				add(Secret, s.Name, s.Optional, s.Items, at("secret"))
			}
			if m := source.ConfigMap; m != nil {
				add(ConfigMap, m.Name, m.Optional, m.Items, at("configMap"))
			}
		}
	}
	if source, name := pluginSecret(v); name != "" {
		refs = append(refs, reference{ObjectRef{Secret, name}, "", func() *field.Path { return pod.VolumePath(v.Name, child(source)) }, byVolume})
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

func child(name string, more ...string) forecast.SubPath {
	return func(p *field.Path) *field.Path { return p.Child(name, more...) }
}

func isTrue(b *bool) bool { return b != nil && *b }

// Dependency is an object that a pod can't start without, and the keys that it needs of it.
type Dependency struct {
	ObjectRef
	Keys []string
}

// Dependencies lists what a pod can't start without, in the pod's order.
func Dependencies(pod *forecast.Pod) []Dependency {
	var out []Dependency
	for _, ref := range references(pod) {
		if ref.way == byPull {
			continue
		}
		i := slices.IndexFunc(out, func(u Dependency) bool { return u.ObjectRef == ref.ObjectRef })
		if i < 0 {
			i = len(out)
			out = append(out, Dependency{ObjectRef: ref.ObjectRef})
		}
		if ref.key != "" && !slices.Contains(out[i].Keys, ref.key) {
			out[i].Keys = append(out[i].Keys, ref.key)
		}
	}
	return out
}
