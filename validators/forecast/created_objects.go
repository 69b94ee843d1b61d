package forecast

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Created is an object that the Workflow creates: one from the manifest of a resource template, or
// a claim.
type Created struct {
	// Kind of the object. It is empty if the manifest can't be read before run time; such an object
	// may be any.
	Kind string
	// Name of the object. It may contain tags.
	Name string
	// Manifest is the text that the step submits, with known parameters filled in.
	Manifest string
}

// Provides returns how certain it is that creating this object brings about the named object of the
// given kind. It is Certain if they are the same object. It is Possible if the kind or the name is
// known only at run time, or if another controller may derive the named object from this one, as
// for an ExternalSecret, a Certificate, or a database cluster. A manifest that mentions the name,
// or an object whose name is a prefix of it, counts as such. Otherwise it is Unknown.
func (c Created) Provides(kind, name string) Certainty {
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
		if mentionsName(c.Manifest, name) && createsObjects.MatchString(c.Manifest) {
			return Possible // a Job that runs kubectl
		}
		return Unknown
	case HasTag(c.Name) && tagPattern(c.Name).MatchString(name),
		strings.Contains(c.Manifest, name),
		c.Name != "" && strings.HasPrefix(name, c.Name):
		return Possible
	}
	return Unknown
}

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

// Provides returns how certain it is that the Workflow itself brings about the named object of the
// given kind. Besides the objects in Created, it considers the programs that the steps run: one
// that mentions the name and the kind may create the object.
func (f Forecast) Provides(kind, name string) Certainty {
	c := Unknown
	for _, object := range f.Created {
		c = max(c, object.Provides(kind, name))
	}
	if f.programs == nil || c > Unknown {
		return c
	}
	if f.programs().mayCreate(kind, name) {
		return Possible
	}
	return Unknown
}

// maxCreated limits the number of objects in Forecast.Created. A Workflow that creates more may
// create any object.
const maxCreated = 256

// createdObjects lists the objects that a resource template creates in namespace. For a manifest
// that can't be read before run time, it returns a Created without a Kind.
func createdObjects(r *wfv1.ResourceTemplate, namespace string) []Created {
	if r.Action == "get" || r.Action == "delete" {
		return nil
	}
	unreadable := []Created{{Manifest: r.Manifest}}
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
				out = append(out, Created{Kind: o.Kind, Name: o.Name, Manifest: r.Manifest})
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

// recordResourceTemplate records the objects that a resource template creates.
func (w *walker) recordResourceTemplate(r *wfv1.ResourceTemplate) {
	if w.manifestBytes += len(r.Manifest); w.manifestBytes > maxProgramBytes {
		w.recordUnknownCreated()
		return
	}
	w.recordCreated(createdObjects(r, w.wf.Namespace))
}

// recordUnknownCreated records that the Workflow may create any object, because it runs templates
// that the forecast can't see.
func (w *walker) recordUnknownCreated() {
	if !w.createsUnknown {
		w.out.Created = append(w.out.Created, Created{})
	}
	w.createsUnknown = true
}
