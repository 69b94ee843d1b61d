package forecast

import (
	"encoding/json"
	"maps"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// garbage is what a pod leaves behind and one artifact-GC pod deletes.
type garbage struct {
	pod       int // index in out.Pods
	locations []*wfv1.ArtifactLocation
}

// collector is an artifact-GC pod to be: there is one for each time and each set of permissions.
type collector struct {
	patch, account string
	garbage        []garbage
}

// ArtifactGC stands in Origin.Steps for the pods that delete artifacts when the run is over.
const ArtifactGC = "artifact-gc"

// leaves notes which artifacts of a template's pod are to be deleted, among them its logs where those are kept.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/artifact_gc.go processArtifactGCStrategy, findArtifactsToGC,
// getArtifactGCPodInfo.
func (w *walker) leaves(t *wfv1.Template, pod int) {
	if t.Name == "" {
		return // Argo finds no template by the name that an inline one doesn't have
	}
	home := w.repositoryLocation()
	if t.ArchiveLocation.HasLocation() {
		home = t.ArchiveLocation
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
		g := garbage{pod: pod, locations: []*wfv1.ArtifactLocation{home, &a.ArtifactLocation}}
		var c collector
		metadata := wfv1.Metadata{Labels: map[string]string{}, Annotations: map[string]string{}}
		take := func(gc *wfv1.ArtifactGC) {
			c.account = firstSet(gc.ServiceAccountName, c.account)
			if gc.PodMetadata != nil {
				maps.Copy(metadata.Labels, gc.PodMetadata.Labels)
				maps.Copy(metadata.Annotations, gc.PodMetadata.Annotations)
			}
		}
		if gc := w.wf.Spec.ArtifactGC; gc != nil {
			take(&gc.ArtifactGC)
			c.patch = gc.PodSpecPatch
		}
		if a.ArtifactGC != nil {
			take(a.ArtifactGC)
		}
		w.collect(strategy, metadata, c, g)
	}
}

func (w *walker) collect(strategy wfv1.ArtifactGCStrategy, metadata wfv1.Metadata, c collector, g garbage) {
	key, err := json.Marshal([]any{strategy, metadata, c.account})
	if err != nil {
		w.note("", err.Error())
		return
	}
	found, ok := w.collectors[string(key)]
	if !ok {
		found = &c
		w.collectors[string(key)] = found
		w.collectorKeys = append(w.collectorKeys, string(key))
	}
	found.garbage = append(found.garbage, g)
}

// artifactGC adds the pods that delete artifacts, when all others are known.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/artifact_gc.go createArtifactGCPod.
func (w *walker) artifactGC() {
	for _, key := range w.collectorKeys {
		c := w.collectors[key]
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
		pod := Pod{Origin: Origin{Path: path}, sources: sources{template: path}}
		var locations []*wfv1.ArtifactLocation
		for _, g := range c.garbage {
			locations = append(locations, g.locations...)
		}
		volumes, mounts := credentialVolumes(locations)
		spec.Volumes, spec.Containers[0].VolumeMounts = volumes, mounts
		err := resolve(w.work, &spec, w.globals)
		if pod.Spec = spec; err == nil {
			err = pod.patch(w.work, resolveText(w.work, c.patch, w.globals))
		}
		if err != nil {
			w.note(ArtifactGC, err.Error())
			continue
		}
		pod.Spec.ServiceAccountName = firstSet(c.account, pod.Spec.ServiceAccountName)
		pod.noteNewer(locations)
		pod.Origin.addStep(position{steps: []string{ArtifactGC}, certainty: Possible}) // when the run is over, and has kept the artifact
		w.out.Pods = append(w.out.Pods, pod)
	}
}
