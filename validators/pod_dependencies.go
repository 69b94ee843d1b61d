package validators

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// consumer is the part of a pod, or the component, that needs an object. It decides how the pod fails without the object.
type consumer int

const (
	envVariable    consumer = iota // the kubelet does not create the container
	volume                         // the kubelet does not mount the volume
	scheduler                      // the scheduler finds no node
	admission                      // the API server refuses the pod
	argoController                 // Argo's controller does not create the pod
	httpRequest                    // Argo's agent can't send the request
	imagePull                      // the kubelet pulls images without it, which fails for private ones only
)

// podDependency is one place where a pod depends on an object, or on a key of it.
type podDependency struct {
	ObjectRef
	key string // empty if the object as a whole is needed
	// path returns where the Workflow names the object. It is a function because only findings, which are rare, need the path.
	path     func() *field.Path
	consumer consumer
}

// podDependencies returns the objects that a pod can't start without, in the pod's order. Optional references don't count, and neither do
// volumes that no container mounts: the kubelet never sets them up.
// Source: k8s.io/kubernetes v1.37.2 pkg/kubelet/kubelet_pods.go makeEnvironmentVariables, pkg/volume/secret/secret.go,
// pkg/volume/configmap/configmap.go, pkg/volume/projected/projected.go; pkg/api/v1/pod/util.go VisitPodSecretNames and
// VisitPodConfigmapNames list the fields.
func podDependencies(pod *forecast.Pod) []podDependency {
	deps := admissionDependencies(pod)
	mounted := map[string]bool{}
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			c := &containers[i]
			deps = append(deps, containerDependencies(pod, c)...)
			for _, m := range c.VolumeMounts {
				mounted[m.Name] = true
			}
		}
	}
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if mounted[v.Name] {
			deps = append(deps, volumeDependencies(pod, v)...)
		}
		if claim := v.PersistentVolumeClaim; claim != nil { // mounted or not
			path := func() *field.Path { return pod.VolumePath(v.Name, child("persistentVolumeClaim", "claimName")) }
			deps = append(deps, podDependency{ObjectRef{PersistentVolumeClaim, claim.ClaimName}, "", path, scheduler})
		}
	}
	for _, s := range pod.Spec.ImagePullSecrets {
		deps = append(deps, podDependency{ObjectRef{Secret, s.Name}, "", func() *field.Path { return pod.PullSecretPath(s.Name) }, imagePull})
	}
	return slices.DeleteFunc(deps, func(d podDependency) bool { return d.Name == "" })
}

// admissionDependencies returns the objects without which the API server refuses the pod, or Argo's controller does not create it.
// ServiceAccount default is not one of them: every namespace has it.
// Source: k8s.io/kubernetes v1.37.2 plugin/pkg/admission/serviceaccount, plugin/pkg/admission/priority;
// argoproj/argo-workflows v3.7.3 util/secrets TokenNameForServiceAccount.
func admissionDependencies(pod *forecast.Pod) []podDependency {
	var deps []podDependency
	account := func(name, at string, by consumer) {
		if name != "default" {
			deps = append(deps, podDependency{ObjectRef{ServiceAccount, name}, "", func() *field.Path { return pod.FieldPath(at, at) }, by})
		}
	}
	if own := pod.Spec.ServiceAccountName; own == pod.MissingServiceAccount {
		account(own, "serviceAccountName", argoController)
	} else {
		account(pod.MissingServiceAccount, "executor.serviceAccountName", argoController)
		account(own, "serviceAccountName", admission)
	}
	if class := pod.Spec.PriorityClassName; class != "" {
		path := func() *field.Path { return pod.FieldPath("priorityClassName", "podPriorityClassName") }
		deps = append(deps, podDependency{ObjectRef{PriorityClass, class}, "", path, admission})
	}
	return deps
}

// containerDependencies returns the objects that a container's environment needs.
func containerDependencies(pod *forecast.Pod, c *corev1.Container) []podDependency {
	var deps []podDependency
	for i, e := range c.EnvFrom {
		add := func(kind, name string, optional *bool, at string) {
			if !isTrue(optional) {
				path := func() *field.Path { return pod.EnvFromPath(c.Name, &c.EnvFrom[i], child(at)) }
				deps = append(deps, podDependency{ObjectRef{kind, name}, "", path, envVariable})
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
				deps = append(deps, podDependency{ObjectRef{kind, name}, key, path, envVariable})
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
	return deps
}

// volumeDependencies returns the objects that the kubelet needs to mount a volume.
func volumeDependencies(pod *forecast.Pod, v *corev1.Volume) []podDependency {
	var deps []podDependency
	add := func(kind, name string, optional *bool, items []corev1.KeyToPath, at forecast.SubPath) {
		if isTrue(optional) {
			return
		}
		deps = append(deps, podDependency{ObjectRef{kind, name}, "", func() *field.Path { return pod.VolumePath(v.Name, at) }, volume})
		for i, item := range items {
			path := func() *field.Path {
				return pod.VolumePath(v.Name, func(p *field.Path) *field.Path { return at(p).Child("items").Index(i) })
			}
			deps = append(deps, podDependency{ObjectRef{kind, name}, item.Key, path, volume})
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
		path := func() *field.Path { return pod.VolumePath(v.Name, child(source)) }
		deps = append(deps, podDependency{ObjectRef{Secret, name}, "", path, volume})
	}
	return deps
}

// pluginSecret returns the Secret that a volume's plugin authenticates with, and the kind of the volume. The Secret can't be optional.
// Other kinds of volumes that name a Secret have no plugin in the kubelet any more, or don't pass the Secret on.
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

// Dependency is an object that a pod can't start without, and the keys of it that the pod needs.
type Dependency struct {
	ObjectRef
	Keys []string
}

// Dependencies lists the objects that a pod can't start without, in the pod's order.
func Dependencies(pod *forecast.Pod) []Dependency {
	var out []Dependency
	for _, d := range podDependencies(pod) {
		if d.consumer == imagePull {
			continue
		}
		i := slices.IndexFunc(out, func(other Dependency) bool { return other.ObjectRef == d.ObjectRef })
		if i < 0 {
			i = len(out)
			out = append(out, Dependency{ObjectRef: d.ObjectRef})
		}
		if d.key != "" && !slices.Contains(out[i].Keys, d.key) {
			out[i].Keys = append(out[i].Keys, d.key)
		}
	}
	return out
}
