package kfp

import (
	"iter"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Patch is what the driver of a step adds to the step's pod, by a strategic merge. Names that exist only at run time are
// tags in it. The driver adds more than this, which no rule looks at: the command, where the pod may run, and containers
// for artifacts that turn out to be OCI images.
type Patch struct {
	Spec corev1.PodSpec
	// RuntimeResources are amounts that are set only at run time, and are therefore not in Spec.
	RuntimeResources []RuntimeResource
	// Config is the Kubernetes configuration that the Workflow carries for the step.
	Config string
}

// RuntimeResource is a resource of a container whose amount exists only at run time.
type RuntimeResource struct {
	Container string
	// Resource is the place of the amount, such as limits.cpu.
	Resource string
	// Reason says where the amount comes from.
	Reason string
}

// mainContainer is the name of the container with the author's program.
const mainContainer = "main"

// patch works out the patch for the pod of a step, in the DAG whose inputs are parent.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/driver.go initPodSpecPatch, k8s.go extendPodSpecPatch.
func (d *driver) patch(parent inputs) Patch {
	p := patching{driver: d, parent: parent, main: corev1.Container{Name: mainContainer}}
	p.out.Config = d.flags["kubernetes_config"]
	container, config := parse(d.flags["container"]), parse(p.out.Config)
	onPod := d.onPod()
	if image := container.text("image"); !strings.Contains(image, "{{") {
		p.main.Image = image
	}
	if onPod("ENV") {
		for _, e := range container.messages("env") {
			p.main.Env = append(p.main.Env, variable(e))
		}
		p.variables(config)
	}
	if onPod("RESOURCES") {
		p.resources(container.message("resources"))
	}
	if onPod("KUBERNETES_VOLUMES") {
		p.volumes(config)
	}
	p.ownVolumes(config)
	for name := range p.named(config, "imagePullSecret", "secretName") {
		p.out.Spec.ImagePullSecrets = append(p.out.Spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	if seconds := int64(config.number("activeDeadlineSeconds")); seconds > 0 {
		p.out.Spec.ActiveDeadlineSeconds = &seconds
	}
	p.initContainers(config)
	p.out.Spec.Containers = []corev1.Container{p.main}
	return p.out
}

// onPod tells of a group of fields whether they go to the step's own pod: a component that starts jobs elsewhere may have
// them handed on instead.
// Source: kubeflow/pipelines 7b70c7b95f backend/src/v2/driver/driver.go getTaskConfigOptions.
func (d *driver) onPod() func(group string) bool {
	elsewhere := map[string]bool{}
	var unread bool
	for _, p := range d.component.messages("taskConfigPassthroughs") {
		apply := p.flag("applyToTask")
		elsewhere[p.text("field")] = apply == nil || !*apply
		unread = unread || p.text("field") == "" // a number: whichever it is
	}
	return func(group string) bool { return !elsewhere[group] && !unread }
}

// patching is a patch in the making.
type patching struct {
	*driver
	parent inputs
	main   corev1.Container
	out    Patch
}

// name resolves the name of an object that an entry of the configuration refers to. ok is false where the entry is skipped,
// because the name is null, and where it has none, for which the driver would fail.
func (p *patching) name(entry message, field string) (name string, ok bool) {
	spec := entry.message(field + "Parameter")
	if spec == nil {
		name = entry.text(field) // deprecated
		return name, name != ""
	}
	switch v := p.resolve(spec, p.parent).(type) {
	case unknown:
		return string(v), true
	case string:
		return v, v != ""
	}
	return "", false
}

// named goes through the entries of the configuration that refer to an object, by the object's name, and leaves out those that
// are skipped.
func (p *patching) named(config message, entries, field string) iter.Seq2[string, message] {
	return func(yield func(string, message) bool) {
		for _, entry := range config.messages(entries) {
			if name, ok := p.name(entry, field); ok && !yield(name, entry) {
				return
			}
		}
	}
}

// variables adds those whose values come from Secrets and ConfigMaps, or from the pod itself.
func (p *patching) variables(config message) {
	for name, entry := range p.named(config, "secretAsEnv", "secretName") {
		for _, m := range entry.messages("keyToEnv") {
			p.main.Env = append(p.main.Env, corev1.EnvVar{Name: m.text("envVar"), ValueFrom: &corev1.EnvVarSource{
				SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: m.text("secretKey"), Optional: entry.flag("optional"),
				},
			}})
		}
	}
	for name, entry := range p.named(config, "configMapAsEnv", "configMapName") {
		for _, m := range entry.messages("keyToEnv") {
			p.main.Env = append(p.main.Env, corev1.EnvVar{Name: m.text("envVar"), ValueFrom: &corev1.EnvVarSource{
				ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: m.text("configMapKey"), Optional: entry.flag("optional"),
				},
			}})
		}
	}
	for _, entry := range config.messages("fieldPathAsEnv") {
		p.main.Env = append(p.main.Env, corev1.EnvVar{Name: entry.text("name"), ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{FieldPath: entry.text("fieldPath")},
		}})
	}
}

// mount adds a volume and mounts it into the main container.
func (p *patching) mount(v corev1.Volume, entry message) {
	p.out.Spec.Volumes = append(p.out.Spec.Volumes, v)
	mount := corev1.VolumeMount{Name: v.Name, MountPath: entry.text("mountPath")}
	if v.PersistentVolumeClaim != nil {
		mount.SubPath = entry.text("subPath")
	}
	p.main.VolumeMounts = append(p.main.VolumeMounts, mount)
}

// volumes mounts claims, Secrets and ConfigMaps. A volume has the name of what it holds.
func (p *patching) volumes(config message) {
	for _, entry := range config.messages("pvcMount") {
		name, ok := p.claim(entry)
		if !ok {
			continue
		}
		p.mount(corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: name},
		}}, entry)
	}
	for name, entry := range p.named(config, "secretAsVolume", "secretName") {
		p.mount(corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: name, Optional: orFalse(entry.flag("optional"))},
		}}, entry)
	}
	for name, entry := range p.named(config, "configMapAsVolume", "configMapName") {
		p.mount(corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, Optional: orFalse(entry.flag("optional")),
		}}}, entry)
	}
}

// claim resolves the name of a PersistentVolumeClaim, which has three deprecated forms.
func (p *patching) claim(entry message) (name string, ok bool) {
	if entry.message("pvcNameParameter") != nil {
		return p.name(entry, "pvcName")
	}
	if from := entry.message("taskOutputParameter"); from != nil {
		return string(outputOf(from)), true
	}
	if input := entry.text("componentInputParameter"); input != "" {
		return p.name(message{"pvcNameParameter": map[string]any{"componentInputParameter": input}}, "pvcName")
	}
	name = entry.text("constant")
	return name, name != ""
}

// ownVolumes mounts the volumes that live and die with the pod.
func (p *patching) ownVolumes(config message) {
	for _, entry := range config.messages("genericEphemeralVolume") {
		p.mount(corev1.Volume{Name: entry.text("volumeName"), VolumeSource: corev1.VolumeSource{
			Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: claimTemplate(entry)},
		}}, entry)
	}
	for _, entry := range config.messages("emptyDirMounts") {
		p.mount(corev1.Volume{Name: entry.text("volumeName"), VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMedium(entry.text("medium"))},
		}}, entry)
	}
}

func claimTemplate(entry message) *corev1.PersistentVolumeClaimTemplate {
	out := &corev1.PersistentVolumeClaimTemplate{}
	for _, mode := range entry.texts("accessModes") {
		out.Spec.AccessModes = append(out.Spec.AccessModes, corev1.PersistentVolumeAccessMode(mode))
	}
	if byDefault := entry.flag("defaultStorageClass"); byDefault == nil || !*byDefault {
		class := entry.text("storageClassName")
		out.Spec.StorageClassName = &class
	}
	if size, ok := quantity(entry.text("size")); ok {
		out.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: size}
	}
	return out
}

// initContainers adds the author's own.
func (p *patching) initContainers(config message) {
	for _, entry := range config.messages("initContainers") {
		c := corev1.Container{Name: entry.text("name"), Image: entry.text("image"), Command: entry.texts("command"), Args: entry.texts("args")}
		for _, e := range entry.messages("env") {
			c.Env = append(c.Env, variable(e))
		}
		for _, m := range entry.messages("volumeMounts") {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: m.text("volumeName"), MountPath: m.text("mountPath")})
		}
		if policy := corev1.ContainerRestartPolicy(entry.text("restartPolicy")); policy != "" {
			c.RestartPolicy = &policy
		}
		resources := entry.message("resources")
		c.Resources.Requests, c.Resources.Limits = resourceList(resources.message("requests")), resourceList(resources.message("limits"))
		p.out.Spec.InitContainers = append(p.out.Spec.InitContainers, c)
	}
}

func variable(entry message) corev1.EnvVar {
	return corev1.EnvVar{Name: entry.text("name"), Value: entry.text("value")}
}

func orFalse(b *bool) *bool {
	if b == nil {
		return new(bool)
	}
	return b
}
