package forecast

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Created is an object that the Workflow creates: one from the manifest of a resource template, or
// a claim.
type Created struct {
	// Group is the API group of the object; empty for the core group.
	Group string
	// Kind of the object. It is empty if the manifest can't be read before run time; such an object
	// may be any.
	Kind string
	// Name of the object. It may contain tags.
	Name string
	// Manifest is the text that the step submits, with known parameters filled in.
	Manifest string

	pod      int               // index in Forecast.Pods of the pod that creates it, or noPod
	commands *manifestCommands // of Manifest; the same for all of its objects
}

// manifestCommands are what the programs in a manifest do. They are worked out once for all objects of the
// manifest, which may be large and many.
type manifestCommands struct {
	once                           sync.Once
	createsObjects, createsUnnamed bool
}

func (m *manifestCommands) read(manifest string) (creates, unnamed bool) {
	if m == nil {
		return createsObjects.MatchString(manifest), createsUnnamed(manifest)
	}
	m.once.Do(func() {
		m.createsObjects, m.createsUnnamed = createsObjects.MatchString(manifest), createsUnnamed(manifest)
	})
	return m.createsObjects, m.createsUnnamed
}

// Provides returns how certain it is that creating this object brings about the named object of the
// given kind. It is Certain if they are the same object. It is Possible if the kind or the name is
// known only at run time, or if another controller may derive the named object from this one: an
// ExternalSecret, a Certificate, a database cluster, a HelmRelease. A manifest that mentions the
// name, an object whose name is a prefix of it, and an object that deploys other objects count as
// such. Otherwise it is Unknown.
func (c Created) Provides(kind, name string) Certainty {
	return c.provides(kind, name, func() bool { return strings.Contains(c.Manifest, name) })
}

// provides is Provides with a function that reports whether the manifest contains the name.
func (c Created) provides(kind, name string, contains func() bool) Certainty {
	switch {
	case c.Kind == "":
		return Possible
	case c.Kind == kind && c.Name == name:
		return Certain
	case c.Kind == kind && !HasTag(c.Name):
		return Unknown
	case c.Kind == "StatefulSet" && kind == "PersistentVolumeClaim":
		return Possible // from its volumeClaimTemplates
	case consumerKinds[c.Kind]:
		creates, unnamed := c.commands.read(c.Manifest)
		if unnamed || creates && contains() && mentionsName(c.Manifest, name) {
			return Possible // a Job that runs kubectl
		}
		return Unknown
	case deploysObjects.MatchString(c.Group),
		HasTag(c.Name) && tagPattern(c.Name).MatchString(name),
		c.Name != "" && strings.HasPrefix(name, c.Name),
		contains():
		return Possible
	}
	return Unknown
}

// deploysObjects matches the API groups of kinds that deploy other objects, which their manifests
// don't name: releases of Helm charts, applications, other Workflows, compositions.
var deploysObjects = regexp.MustCompile(`^(helm\..*|argoproj\.io|.*\.toolkit\.fluxcd\.io|infra\.contrib\.fluxcd\.io|` +
	`fleet\.cattle\.io|kappctrl\.k14s\.io|packaging\.carvel\.dev|pulumi\.com|.*\.crossplane\.io|.*\.upbound\.io|` +
	`app\.terraform\.io|tekton\.dev|servicecatalog\.k8s\.io|operators\.coreos\.com|kro\.run)$`)

// consumerKinds are built-in kinds that mention other objects because they depend on them, not
// because they create them.
var consumerKinds = map[string]bool{
	"Pod": true, "Job": true, "CronJob": true, "Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true,
	"ServiceAccount": true, "Role": true, "RoleBinding": true, "ConfigMap": true, "PersistentVolumeClaim": true, "Service": true,
}

var quotedTag = regexp.MustCompile(`\\{\\{.*?\\}\\}`)

// tagPattern matches every text that a text with tags may become.
func tagPattern(text string) *regexp.Regexp {
	return regexp.MustCompile("^" + quotedTag.ReplaceAllString(regexp.QuoteMeta(text), ".*") + "$")
}

// Creators are what may bring about one object in a Workflow: the objects in Created, and the programs
// that the steps run. A program that mentions the object's name and kind may create it, and so may one
// that applies manifests.
type Creators struct {
	forecast *Forecast
	list     []creator
}

type creator struct {
	certainty Certainty
	pod       int // index in Forecast.Pods, or noPod
}

// Creators returns what may bring about the named object of the given kind.
func (f *Forecast) Creators(kind, name string) Creators {
	c := Creators{forecast: f}
	var manifest string // of the objects before; objects of one manifest follow each other
	var contains func() bool
	for _, object := range f.Created {
		if contains == nil || object.Manifest != manifest {
			manifest = object.Manifest
			contains = sync.OnceValue(func() bool { return strings.Contains(object.Manifest, name) })
		}
		if certainty := object.provides(kind, name, contains); certainty > Unknown {
			c.list = append(c.list, creator{certainty, object.pod})
		}
	}
	if f.hasWait {
		c.list = append(c.list, creator{Possible, people}) // who creates the object before they resume the Workflow
	}
	if f.programs == nil {
		return c
	}
	all := f.programs()
	if all.incomplete {
		c.list = append(c.list, creator{Possible, noPod})
	}
	for _, p := range all.list {
		if p.mayCreate(kind, name) {
			c.list = append(c.list, creator{Possible, p.pod})
		}
	}
	return c
}

// Provide returns how certain it is that they bring the object about while a pod waits for it. pod is
// the index in Forecast.Pods, or -1 for no particular pod. What runs only after the waiting pod has
// ended brings nothing about.
func (c Creators) Provide(pod int) Certainty {
	best := Unknown
	for _, creator := range c.list {
		if creator.certainty > best && c.forecast.mayRunBefore(creator.pod, pod) {
			best = creator.certainty
		}
	}
	return best
}

// mayRunBefore reports whether a pod may run although another one waits. A pod with several
// containers of the author's may also help itself: the kubelet starts those that can start.
func (f *Forecast) mayRunBefore(creator, waiting int) bool {
	switch {
	case creator == noPod || waiting < 0 || f.order == nil:
		return true
	case creator == waiting:
		return f.Pods[creator].hasSeveralContainers()
	}
	return f.order().mayRunBefore(creator, waiting)
}

// MayRunBefore reports whether a pod may run, and end, although another one does not end. Pods are given by
// index in Pods.
func (f *Forecast) MayRunBefore(pod, waiting int) bool {
	return pod != waiting && (f.order == nil || f.order().mayRunBefore(pod, waiting))
}

// hasSeveralContainers reports whether a pod has more than one container of the author's.
func (p *Pod) hasSeveralContainers() bool {
	n := 0
	for _, containers := range [][]corev1.Container{p.Spec.InitContainers, p.Spec.Containers} {
		for _, c := range containers {
			if !slices.Contains(p.ArgoContainers, c.Name) {
				n++
			}
		}
	}
	return n > 1
}

// maxCreated limits the number of objects in Forecast.Created. A Workflow that creates more may
// create any object.
const maxCreated = 256

// createdObjects lists the objects that a resource template creates in namespace. For a manifest
// that can't be read before run time, it returns a Created without a Kind.
func createdObjects(r *wfv1.ResourceTemplate, namespace string, pod int) []Created {
	if r.Action == "get" || r.Action == "delete" {
		return nil
	}
	commands := &manifestCommands{}
	unreadable := []Created{{Manifest: r.Manifest, pod: pod}}
	if r.Manifest == "" {
		return unreadable // the manifest comes from an artifact
	}
	var out []Created
	documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(r.Manifest)), 4096)
	for {
		var object struct {
			metav1.PartialObjectMetadata `json:",inline"`
			Items                        []metav1.PartialObjectMetadata `json:"items"`
		}
		switch err := documents.Decode(&object); {
		case errors.Is(err, io.EOF):
			return out
		case err != nil:
			return unreadable
		}
		for _, o := range append(object.Items, object.PartialObjectMetadata) {
			if o.Namespace == "" || o.Namespace == namespace || HasTag(o.Namespace) {
				group, _, hasGroup := strings.Cut(o.APIVersion, "/")
				if !hasGroup {
					group = ""
				}
				out = append(out, Created{Group: group, Kind: o.Kind, Name: o.Name, Manifest: r.Manifest, pod: pod, commands: commands})
			}
		}
	}
}

// recordCreated records objects that the Workflow creates.
func (w *walker) recordCreated(objects []Created) {
	if len(w.out.Created)+len(objects) > maxCreated {
		w.recordUnknownCreated()
		return
	}
	w.out.Created = append(w.out.Created, objects...)
}

// recordResourceTemplate records the objects that a pod creates for a resource template.
func (w *walker) recordResourceTemplate(r *wfv1.ResourceTemplate, pod int) {
	if w.manifestBytes += len(r.Manifest); w.manifestBytes > maxProgramBytes {
		w.recordUnknownCreated()
		return
	}
	w.recordCreated(createdObjects(r, w.wf.Namespace, pod))
}

// recordUnknownCreated records that the Workflow may create any object, because it runs templates
// that the forecast can't see.
func (w *walker) recordUnknownCreated() {
	if !w.createsUnknown {
		w.out.Created = append(w.out.Created, Created{pod: noPod})
	}
	w.createsUnknown = true
}
