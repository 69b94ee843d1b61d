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
	if r.Action == "get" || r.Action == "delete" {
		return nil
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
// object; Possible when it may be, because its kind or name exists only at run time, or when it is of a kind that other
// controllers act upon, and mentions the name or could have given it its own name as a beginning. So does an
// ExternalSecret, a Certificate, or the cluster of a database operator.
func (c Created) Makes(kind, name string) Certainty {
	switch {
	case c.Kind == "":
		return Possible
	case c.Kind == kind && c.Name == name:
		return Certain
	case c.Kind == kind && !HasTag(c.Name), usesOnly[c.Kind]:
		return Unknown
	case HasTag(c.Name) && tagPattern(c.Name).MatchString(name),
		strings.Contains(c.Manifest, name),
		c.Name != "" && strings.HasPrefix(name, c.Name):
		return Possible
	}
	return Unknown
}

// usesOnly are Kubernetes' own kinds that mention other objects because they need them, and don't bring them about.
var usesOnly = map[string]bool{
	"Pod": true, "Job": true, "CronJob": true, "Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true,
	"ServiceAccount": true, "Role": true, "RoleBinding": true, "ConfigMap": true, "PersistentVolumeClaim": true, "Service": true,
}

var tag = regexp.MustCompile(`\\{\\{.*?\\}\\}`)

// tagPattern matches every text that a text with tags may become.
func tagPattern(text string) *regexp.Regexp {
	return regexp.MustCompile("^" + tag.ReplaceAllString(regexp.QuoteMeta(text), ".*") + "$")
}
