package forecast

import (
	"fmt"
	"path"
	"slices"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// addMountedVolumes adds those of the Workflow's volumes and claims that the template's containers
// mount. It returns an error if a mounted volume does not exist.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go addVolumeReferences, operator.go createPVCs.
func (w *walker) addMountedVolumes(spec *corev1.PodSpec, t *wfv1.Template) error {
	mounts := slices.Clone(t.GetVolumeMounts())
	for _, c := range slices.Concat(t.InitContainers, t.Sidecars) {
		mounts = append(mounts, c.VolumeMounts...)
	}
	has := map[string]bool{}
	for _, v := range spec.Volumes {
		has[v.Name] = true
	}
	for _, m := range mounts {
		if has[m.Name] || HasTag(m.Name) {
			continue
		}
		v, ok := w.volumes[m.Name]
		if !ok {
			return fmt.Errorf("a container mounts the volume %s, which neither the template nor the Workflow has", m.Name)
		}
		has[m.Name] = true
		spec.Volumes = append(spec.Volumes, v)
	}
	return nil
}

// indexVolumes sets w.volumes and w.volumePaths from the Workflow's volumes and claims.
func (w *walker) indexVolumes() {
	w.volumes, w.volumePaths = map[string]corev1.Volume{}, map[string]*field.Path{}
	for i, v := range w.wf.Spec.Volumes {
		if _, ok := w.volumes[v.Name]; ok {
			continue
		}
		w.volumes[v.Name] = v
		if w.workflowScope.refPath == nil {
			w.volumePaths[v.Name] = field.NewPath("spec", "volumes").Index(i)
		}
	}
	for _, claim := range w.wf.Spec.VolumeClaimTemplates {
		if _, ok := w.volumes[claim.Name]; !ok {
			w.volumes[claim.Name] = corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: w.wf.Name + "-" + claim.Name},
			}}
		}
	}
}

// addUserContainers adds the template's init containers and sidecars. With mirrorVolumeMounts, they
// get the mounts of the main container as well.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go addInitContainers, addSidecars.
func addUserContainers(spec *corev1.PodSpec, t *wfv1.Template) {
	main := mountsOf(spec.Containers, MainContainer)
	container := func(c wfv1.UserContainer) corev1.Container {
		if c.MirrorVolumeMounts != nil && *c.MirrorVolumeMounts {
			c.VolumeMounts = slices.Concat(c.VolumeMounts, main)
		}
		return c.Container
	}
	for _, c := range t.InitContainers {
		spec.InitContainers = append(spec.InitContainers, container(c))
	}
	for _, c := range t.Sidecars {
		spec.Containers = append(spec.Containers, container(c))
	}
}

// mirrorMounts gives Argo's own containers the mounts of the main container, so that they can read
// and write artifacts there.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/workflowpod.go addInputArtifactsVolumes,
// addOutputArtifactsVolumes.
func mirrorMounts(spec *corev1.PodSpec, t *wfv1.Template) {
	if len(t.Inputs.Artifacts) > 0 {
		addMounts(spec.InitContainers, InitContainer, mirroredMounts(t.GetVolumeMounts(), false))
	}
	if t.GetType() != wfv1.TemplateTypeResource && t.GetType() != wfv1.TemplateTypeData {
		addMounts(spec.Containers, WaitContainer, mirroredMounts(mountsOf(spec.Containers, MainContainer), true))
	}
}

// mirroredMounts returns mounts as Argo's own containers have them, under a different root.
func mirroredMounts(mounts []corev1.VolumeMount, writable bool) []corev1.VolumeMount {
	out := slices.Clone(mounts)
	for i := range out {
		out[i].MountPath = path.Join("/mainctrfs", out[i].MountPath)
		out[i].ReadOnly = out[i].ReadOnly && !writable
	}
	return out
}

// mountsOf returns the mounts of the named container.
func mountsOf(containers []corev1.Container, name string) []corev1.VolumeMount {
	for _, c := range containers {
		if c.Name == name {
			return c.VolumeMounts
		}
	}
	return nil
}

// addMounts adds mounts to the named container.
func addMounts(containers []corev1.Container, name string, mounts []corev1.VolumeMount) {
	for i := range containers {
		if containers[i].Name == name {
			containers[i].VolumeMounts = slices.Concat(containers[i].VolumeMounts, mounts)
			return
		}
	}
}
