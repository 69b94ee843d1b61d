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

// created lists the objects that a resource template makes in namespace. A manifest that can't be read before run time
// gives one Created without a Kind.
func created(r *wfv1.ResourceTemplate, namespace string) []Created {
	switch r.Action {
	case "create", "apply", "replace", "patch":
	default:
		return nil // get and delete make nothing
	}
	unreadable := []Created{{Manifest: r.Manifest}}
	if r.Manifest == "" {
		return unreadable // from an artifact
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

// Makes says whether this object is the named object of the given kind, or brings it about: Certain when it is that
// object, Possible when it may be (a name that exists only at run time) or when it is of a kind that is not Kubernetes'
// own and mentions the name, as an ExternalSecret does.
func (c Created) Makes(kind, name string) Certainty {
	switch {
	case c.Kind == "":
		return Possible
	case c.Kind == kind && c.Name == name:
		return Certain
	case c.Kind == kind && HasTag(c.Name) && tagPattern(c.Name).MatchString(name):
		return Possible
	case !usesOnly[c.Kind] && c.Kind != kind && strings.Contains(c.Manifest, name):
		return Possible
	}
	return Unknown
}

// usesOnly are kinds that mention other objects because they need them, and don't make them.
var usesOnly = map[string]bool{
	"Pod": true, "Job": true, "CronJob": true, "Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true,
	"Workflow": true, "ServiceAccount": true, "Role": true, "RoleBinding": true, "Ingress": true, "ConfigMap": true,
	"PersistentVolumeClaim": true, "Service": true, "TFJob": true, "PyTorchJob": true, "MPIJob": true, "Experiment": true,
	"InferenceService": true,
}

var tag = regexp.MustCompile(`\\{\\{.*?\\}\\}`)

// tagPattern matches every text that a text with tags may become.
func tagPattern(text string) *regexp.Regexp {
	return regexp.MustCompile("^" + tag.ReplaceAllString(regexp.QuoteMeta(text), ".*") + "$")
}
