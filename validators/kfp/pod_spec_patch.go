package kfp

import (
	"iter"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Patch is the strategic merge patch that the driver of a step outputs for the step's pod. Names that exist only at run time are
// template tags. Not included, because no rule needs them, are the command, the scheduling constraints, and the containers for
// artifacts that turn out to be OCI images.
type Patch struct {
	Spec corev1.PodSpec
	// RuntimeResources lists the resources whose amounts exist only at run time. They are not in Spec.
	RuntimeResources []RuntimeResource
	// KubernetesConfig is the step's Kubernetes configuration, as the JSON that the Workflow carries.
	KubernetesConfig string
}

// RuntimeResource is a resource of a container whose amount exists only at run time.
type RuntimeResource struct {
	// Container is the name of the container.
	Container string
	// Resource is the field with the amount, such as limits.cpu.
	Resource string
	// Reason says where the amount comes from.
	Reason string
}

// mainContainer is the name of the container that runs the author's program.
const mainContainer = "main"

// podSpecPatch returns the patch for the pod of a step. parent holds the inputs of the enclosing DAG.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/driver.go initPodSpecPatch, k8s.go extendPodSpecPatch.
func (d *driverCall) podSpecPatch(parent parameterValues) Patch {
	b := patchBuilder{driverCall: d, parent: parent, main: corev1.Container{Name: mainContainer}}
	b.patch.KubernetesConfig = d.flags["kubernetes_config"]
	container, config := parseMessage(d.flags["container"]), parseMessage(b.patch.KubernetesConfig)
	appliesToPod := d.appliesToPod()
	if image := container.string("image"); !strings.Contains(image, "{{") {
		b.main.Image = image
	}
	if appliesToPod("ENV") {
		for _, e := range container.messages("env") {
			b.main.Env = append(b.main.Env, envVar(e))
		}
		b.addEnv(config)
	}
	if appliesToPod("RESOURCES") {
		b.setResources(container.message("resources"))
	}
	if appliesToPod("KUBERNETES_VOLUMES") {
		b.addVolumes(config)
	}
	b.addEphemeralVolumes(config)
	for name := range b.namedEntries(config, "imagePullSecret", "secretName") {
		b.patch.Spec.ImagePullSecrets = append(b.patch.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	if seconds := int64(config.number("activeDeadlineSeconds")); seconds > 0 {
		b.patch.Spec.ActiveDeadlineSeconds = &seconds
	}
	b.addInitContainers(config)
	b.patch.Spec.Containers = []corev1.Container{b.main}
	return b.patch
}

// appliesToPod returns a function that reports whether a group of fields, such as ENV, applies to the step's pod. A component that
// starts a job elsewhere may pass the fields through to that job instead.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/driver.go getTaskConfigOptions.
func (d *driverCall) appliesToPod() func(group string) bool {
	passedThrough := map[string]bool{}
	anyGroup := false
	for _, p := range d.component.messages("taskConfigPassthroughs") {
		apply := p.optionalBool("applyToTask")
		passedThrough[p.string("field")] = apply == nil || !*apply
		anyGroup = anyGroup || p.string("field") == "" // the enum as a number, which may be any group
	}
	return func(group string) bool { return !passedThrough[group] && !anyGroup }
}

// patchBuilder builds the patch for the pod of a step.
type patchBuilder struct {
	*driverCall
	parent parameterValues
	main   corev1.Container
	patch  Patch
}

// resolveName returns the name of the object that an entry of the Kubernetes configuration refers to. ok is false if the name is
// null, in which case the driver skips the entry, or missing, in which case it fails.
func (b *patchBuilder) resolveName(entry message, field string) (name string, ok bool) {
	spec := entry.message(field + "Parameter")
	if spec == nil {
		name = entry.string(field) // deprecated
		return name, name != ""
	}
	switch v := b.resolveParameter(spec, b.parent).(type) {
	case unknown:
		return string(v), true
	case string:
		return v, v != ""
	}
	return "", false
}

// namedEntries iterates over the entries of a repeated field of the Kubernetes configuration that refer to an object, together
// with the object's name. It omits entries without a name.
func (b *patchBuilder) namedEntries(config message, entries, field string) iter.Seq2[string, message] {
	return func(yield func(string, message) bool) {
		for _, entry := range config.messages(entries) {
			if name, ok := b.resolveName(entry, field); ok && !yield(name, entry) {
				return
			}
		}
	}
}

// addEnv adds the environment variables whose values come from Secrets, ConfigMaps or fields of the pod.
func (b *patchBuilder) addEnv(config message) {
	for name, entry := range b.namedEntries(config, "secretAsEnv", "secretName") {
		for _, m := range entry.messages("keyToEnv") {
			b.main.Env = append(b.main.Env, corev1.EnvVar{Name: m.string("envVar"), ValueFrom: &corev1.EnvVarSource{
				SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: m.string("secretKey"), Optional: entry.optionalBool("optional"),
				},
			}})
		}
	}
	for name, entry := range b.namedEntries(config, "configMapAsEnv", "configMapName") {
		for _, m := range entry.messages("keyToEnv") {
			b.main.Env = append(b.main.Env, corev1.EnvVar{Name: m.string("envVar"), ValueFrom: &corev1.EnvVarSource{
				ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: m.string("configMapKey"), Optional: entry.optionalBool("optional"),
				},
			}})
		}
	}
	for _, entry := range config.messages("fieldPathAsEnv") {
		b.main.Env = append(b.main.Env, corev1.EnvVar{Name: entry.string("name"), ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: entry.string("fieldPath")},
		}})
	}
}

// addVolume adds a volume to the pod and mounts it into the main container.
func (b *patchBuilder) addVolume(v corev1.Volume, entry message) {
	b.patch.Spec.Volumes = append(b.patch.Spec.Volumes, v)
	mount := corev1.VolumeMount{Name: v.Name, MountPath: entry.string("mountPath")}
	if v.PersistentVolumeClaim != nil {
		mount.SubPath = entry.string("subPath")
	}
	b.main.VolumeMounts = append(b.main.VolumeMounts, mount)
}

// addVolumes adds the volumes of claims, Secrets and ConfigMaps. Each volume has the name of its object.
func (b *patchBuilder) addVolumes(config message) {
	for _, entry := range config.messages("pvcMount") {
		name, ok := b.resolvePVCName(entry)
		if !ok {
			continue
		}
		b.addVolume(corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
		}}, entry)
	}
	for name, entry := range b.namedEntries(config, "secretAsVolume", "secretName") {
		b.addVolume(corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: name, Optional: orFalse(entry.optionalBool("optional"))},
		}}, entry)
	}
	for name, entry := range b.namedEntries(config, "configMapAsVolume", "configMapName") {
		b.addVolume(corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Optional: orFalse(entry.optionalBool("optional")),
		}}}, entry)
	}
}

// resolvePVCName returns the name of a mounted PersistentVolumeClaim, for which KFP has three deprecated fields.
func (b *patchBuilder) resolvePVCName(entry message) (name string, ok bool) {
	if entry.message("pvcNameParameter") != nil {
		return b.resolveName(entry, "pvcName")
	}
	if output := entry.message("taskOutputParameter"); output != nil {
		return string(taskOutput(output)), true
	}
	if input := entry.string("componentInputParameter"); input != "" {
		return b.resolveName(message{"pvcNameParameter": map[string]any{"componentInputParameter": input}}, "pvcName")
	}
	name = entry.string("constant")
	return name, name != ""
}

// addEphemeralVolumes adds the generic ephemeral volumes and the emptyDir volumes.
func (b *patchBuilder) addEphemeralVolumes(config message) {
	for _, entry := range config.messages("genericEphemeralVolume") {
		b.addVolume(corev1.Volume{Name: entry.string("volumeName"), VolumeSource: corev1.VolumeSource{
			Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: pvcTemplate(entry)},
		}}, entry)
	}
	for _, entry := range config.messages("emptyDirMounts") {
		b.addVolume(corev1.Volume{Name: entry.string("volumeName"), VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMedium(entry.string("medium"))},
		}}, entry)
	}
}

func pvcTemplate(entry message) *corev1.PersistentVolumeClaimTemplate {
	out := &corev1.PersistentVolumeClaimTemplate{}
	for _, mode := range entry.strings("accessModes") {
		out.Spec.AccessModes = append(out.Spec.AccessModes, corev1.PersistentVolumeAccessMode(mode))
	}
	if useDefault := entry.optionalBool("defaultStorageClass"); useDefault == nil || !*useDefault {
		class := entry.string("storageClassName")
		out.Spec.StorageClassName = &class
	}
	if size, ok := parseQuantity(entry.string("size")); ok {
		out.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: size}
	}
	return out
}

// addInitContainers adds the init containers of the author.
func (b *patchBuilder) addInitContainers(config message) {
	for _, entry := range config.messages("initContainers") {
		c := corev1.Container{
			Name: entry.string("name"), Image: entry.string("image"),
			Command: entry.strings("command"), Args: entry.strings("args"),
		}
		for _, e := range entry.messages("env") {
			c.Env = append(c.Env, envVar(e))
		}
		for _, m := range entry.messages("volumeMounts") {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: m.string("volumeName"), MountPath: m.string("mountPath")})
		}
		if policy := corev1.ContainerRestartPolicy(entry.string("restartPolicy")); policy != "" {
			c.RestartPolicy = &policy
		}
		resources := entry.message("resources")
		c.Resources.Requests = resourceList(resources.message("requests"))
		c.Resources.Limits = resourceList(resources.message("limits"))
		b.patch.Spec.InitContainers = append(b.patch.Spec.InitContainers, c)
	}
}

func envVar(entry message) corev1.EnvVar {
	return corev1.EnvVar{Name: entry.string("name"), Value: entry.string("value")}
}

func orFalse(b *bool) *bool {
	if b == nil {
		return new(bool)
	}
	return b
}
