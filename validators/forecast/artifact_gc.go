package forecast

import (
	"cmp"
	"encoding/json"
	"maps"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// gcPod is an artifact-GC pod, before it is assembled. There is one for each strategy,
// ServiceAccount, and pod metadata.
type gcPod struct {
	patch, serviceAccount string
	locations             []*wfv1.ArtifactLocation // of the artifacts to delete
}

// ArtifactGC is the only entry of Origin.Steps for pods that delete artifacts when the run is over.
const ArtifactGC = "artifact-gc"

// recordArtifactGC records which artifacts of a template's pod will be deleted. Archived logs count
// as an artifact.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/artifact_gc.go processArtifactGCStrategy, findArtifactsToGC,
// getArtifactGCPodInfo.
func (w *walker) recordArtifactGC(t *wfv1.Template) {
	if t.Name == "" {
		return // Argo looks templates up by name, and so misses inline ones
	}
	logsLocation := w.repositoryLocation()
	if t.ArchiveLocation.HasLocation() {
		logsLocation = t.ArchiveLocation
	}
	artifacts := t.Outputs.Artifacts
	if location := w.archiveLocation(t); location.IsArchiveLogs() {
		artifacts = append(artifacts[:len(artifacts):len(artifacts)], wfv1.Artifact{Name: "main-logs"})
	}
	for i := range artifacts {
		a := &artifacts[i]
		strategy := w.wf.GetArtifactGCStrategy(a)
		if strategy != wfv1.ArtifactGCOnWorkflowCompletion && strategy != wfv1.ArtifactGCOnWorkflowDeletion {
			continue
		}
		var c gcPod
		metadata := wfv1.Metadata{Labels: map[string]string{}, Annotations: map[string]string{}}
		merge := func(gc *wfv1.ArtifactGC) {
			c.serviceAccount = cmp.Or(gc.ServiceAccountName, c.serviceAccount)
			if gc.PodMetadata != nil {
				maps.Copy(metadata.Labels, gc.PodMetadata.Labels)
				maps.Copy(metadata.Annotations, gc.PodMetadata.Annotations)
			}
		}
		if gc := w.wf.Spec.ArtifactGC; gc != nil {
			merge(&gc.ArtifactGC)
			c.patch = gc.PodSpecPatch
		}
		if a.ArtifactGC != nil {
			merge(a.ArtifactGC)
		}
		w.addToGCPod(strategy, metadata, c, logsLocation, &a.ArtifactLocation)
	}
}

// addToGCPod adds the locations of an artifact to the pod that will delete it.
func (w *walker) addToGCPod(strategy wfv1.ArtifactGCStrategy, metadata wfv1.Metadata, c gcPod, locations ...*wfv1.ArtifactLocation) {
	key, err := json.Marshal([]any{strategy, metadata, c.serviceAccount})
	if err != nil {
		w.addNote("", err.Error())
		return
	}
	found, ok := w.gcPods[string(key)]
	if !ok {
		found = &c
		w.gcPods[string(key)] = found
		w.gcPodKeys = append(w.gcPodKeys, string(key))
	}
	found.locations = append(found.locations, locations...)
}

// addGCPods adds the pods that delete artifacts. It runs after the walk.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/artifact_gc.go createArtifactGCPod.
func (w *walker) addGCPods() {
	for _, key := range w.gcPodKeys {
		c := w.gcPods[key]
		spec := corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{
				Name: MainContainer,
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{"cpu": resource.MustParse("50m"), "memory": resource.MustParse("32Mi")},
					Limits:   corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("64Mi")},
				},
			}},
		}
		path := field.NewPath("spec", "artifactGC")
		pod := Pod{Origin: Origin{Path: path}, sources: podSources{templatePath: path}, executorImage: w.controller.executorImage()}
		volumes, mounts := credentialVolumes(c.locations)
		spec.Volumes, spec.Containers[0].VolumeMounts = volumes, mounts
		err := resolveTags(w.budget, &spec, w.globals)
		if pod.Spec = spec; err == nil {
			err = pod.applyPatch(w.budget, resolveTagsInText(w.budget, c.patch, w.globals))
		}
		if err != nil {
			w.addNote(ArtifactGC, err.Error())
			continue
		}
		pod.Spec.ServiceAccountName = cmp.Or(c.serviceAccount, pod.Spec.ServiceAccountName)
		pod.notePlugins(c.locations)
		// The run may not get as far as to write the artifact.
		pod.Origin.addStep(position{steps: []string{ArtifactGC}, certainty: Possible})
		w.out.Pods = append(w.out.Pods, pod)
	}
}
