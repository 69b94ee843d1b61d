package forecast

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// createdObjects lists the objects that a resource template makes in namespace. A manifest that can't be read before run time
// gives one Created without a Kind.
func createdObjects(r *wfv1.ResourceTemplate, namespace string) []Created {
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

// Provides says whether this object is the named object of the given kind, or brings it about: Certain when it is that
// object; Possible when it may be, because its kind or name exists only at run time, or when it is of a kind that other
// controllers act upon, and mentions the name or could have given it its own name as a beginning. So does an
// ExternalSecret, a Certificate, or the cluster of a database operator.
func (c Created) Provides(kind, name string) Certainty {
	switch {
	case c.Kind == "":
		return Possible
	case c.Kind == kind && c.Name == name:
		return Certain
	case c.Kind == kind && !HasTag(c.Name):
		return Unknown
	case c.Kind == "StatefulSet" && kind == "PersistentVolumeClaim":
		return Possible // its claims have names of their own
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

// Provides says whether the Workflow itself brings the named object about, by the objects that it creates or by a program that
// it runs: one that speaks of it, and of its kind besides.
func (f Forecast) Provides(kind, name string) Certainty {
	c := Unknown
	for _, object := range f.Created {
		c = max(c, object.Provides(kind, name))
	}
	if f.programs == nil || c > Unknown {
		return c
	}
	run := f.programs()
	if run.incomplete {
		return Possible
	}
	for _, program := range run.texts {
		if c == Unknown && mentionsName(program, name) && mentionsKind(strings.ReplaceAll(program, name, ""), kind) {
			c = Possible
		}
	}
	return c
}

// kindAliases are how programs speak of kinds beside the kind itself: to kubectl, and in client libraries.
var kindAliases = map[string]*regexp.Regexp{
	"ConfigMap":             regexp.MustCompile(`(?i)config_map|\bcm\b`),
	"ServiceAccount":        regexp.MustCompile(`(?i)service_account|\bsa\b`),
	"PersistentVolumeClaim": regexp.MustCompile(`(?i)persistent_volume_claim|\bpvc\b`),
	"PriorityClass":         regexp.MustCompile(`(?i)priority_class|\bpc\b`),
}

func mentionsKind(program, kind string) bool {
	if words := kindAliases[kind]; words != nil && words.MatchString(program) {
		return true
	}
	return strings.Contains(strings.ToLower(program), strings.ToLower(kind))
}

// mentionsName reports whether a text has a name, and not only as a part of a longer one.
func mentionsName(text, name string) bool {
	for from := 0; name != ""; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(name)
		if (start == 0 || !isNameByte(text[start-1])) && (end == len(text) || !isNameByte(text[end])) {
			return true
		}
		from = start + 1
	}
	return false
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-'
}

// createsObjects matches what programs say to make objects: to kubectl and its like, in a client library, to the API itself.
var createsObjects = regexp.MustCompile(`(?i)kubectl|\boc\b|helm|namespaced_|V1Secret|V1ConfigMap|/secrets\b|/configmaps\b|kind: *(secret|configmap|serviceaccount|persistentvolumeclaim)`)

// programOf is the text that a template executes, without its variables: those are how it uses Secrets. A driver of KFP v2
// is given all that there is to say of a step, and executes none of it; what counts is the step's own program. open says that it may
// make anything.
func (w *walker) programOf(t *wfv1.Template) (program string, incomplete bool) {
	if w.isKFPv2 && t.Container != nil {
		if commands, values, incomplete, ok := w.kfpRun.Program(t.Container.Args); ok {
			// A component that makes objects is told by its inputs which.
			if inputs := commands + " " + values; createsObjects.MatchString(inputs) {
				return inputs, incomplete
			}
			return commands, false
		}
	}
	var parts []string
	add := func(c corev1.Container) { parts = append(append(parts, c.Command...), c.Args...) }
	if t.Container != nil {
		add(*t.Container)
	}
	if t.Script != nil {
		add(t.Script.Container)
		parts = append(parts, t.Script.Source)
	}
	if t.ContainerSet != nil {
		for _, c := range t.ContainerSet.Containers {
			add(c.Container)
		}
	}
	for _, containers := range [][]wfv1.UserContainer{t.InitContainers, t.Sidecars} {
		for _, c := range containers {
			add(c.Container)
		}
	}
	if t.HTTP != nil {
		parts = append(parts, t.HTTP.URL, t.HTTP.Body)
	}
	return strings.Join(parts, " "), false
}

// consumerKinds are Kubernetes' own kinds that mention other objects because they need them, and don't bring them about.
var consumerKinds = map[string]bool{
	"Pod": true, "Job": true, "CronJob": true, "Deployment": true, "StatefulSet": true, "DaemonSet": true, "ReplicaSet": true,
	"ServiceAccount": true, "Role": true, "RoleBinding": true, "ConfigMap": true, "PersistentVolumeClaim": true, "Service": true,
}

var quotedTag = regexp.MustCompile(`\\{\\{.*?\\}\\}`)

// tagPattern matches every text that a text with tags may become.
func tagPattern(text string) *regexp.Regexp {
	return regexp.MustCompile("^" + quotedTag.ReplaceAllString(regexp.QuoteMeta(text), ".*") + "$")
}
