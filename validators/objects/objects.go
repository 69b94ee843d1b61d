package objects

import (
	"fmt"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

// Object is an object that can be evaluated.
type Object struct {
	Kind, Namespace, Name string

	annotations map[string]string
	labels      map[string]string
	// profile is set for a Profile, workflow for all other objects.
	profile  *validators.Profile
	workflow *wfv1.Workflow
	// specPath is the path of the Workflow's spec in the object.
	specPath string
	// parameterPaths are the paths of the Workflow's parameters in a compiled pipeline. They are nil for other objects.
	parameterPaths []string
}

// Kind is a kind of object that can be evaluated.
type Kind struct {
	Group, Version, Resource, Name string
	Namespaced                     bool

	decode func(o *Object, raw []byte) error
}

// Kinds returns all kinds that can be evaluated. Version is the one to request from a cluster. [Decode] accepts other versions, too.
func Kinds() []Kind {
	return []Kind{
		{"kubeflow.org", "v1", "profiles", "Profile", false, decodeProfile},
		{"argoproj.io", "v1alpha1", "workflows", "Workflow", true, decodeWorkflow},
		{"argoproj.io", "v1alpha1", "cronworkflows", "CronWorkflow", true, decodeCronWorkflow},
		{"argoproj.io", "v1alpha1", "workflowtemplates", "WorkflowTemplate", true, decodeWorkflowTemplate},
		{"argoproj.io", "v1alpha1", "clusterworkflowtemplates", "ClusterWorkflowTemplate", false, decodeWorkflowTemplate},
		{"kubeflow.org", "v1beta1", "scheduledworkflows", "ScheduledWorkflow", true, decodeScheduledWorkflow},
	}
}

func decodeProfile(o *Object, raw []byte) error {
	o.profile = &validators.Profile{}
	return kjson.Unmarshal(raw, o.profile)
}

func decodeWorkflow(o *Object, raw []byte) (err error) {
	o.specPath = "spec"
	o.workflow, err = forecast.Decode[wfv1.Workflow](raw)
	return err
}

// Decode decodes an object from JSON. It returns nil if the kind of the object can't be evaluated. The given namespace is that of
// namespaced objects that don't set one.
func Decode(raw []byte, namespace string) (*Object, error) {
	var meta metav1.PartialObjectMetadata
	if err := kjson.Unmarshal(raw, &meta); err != nil {
		return nil, err
	}
	group, _, _ := strings.Cut(meta.APIVersion, "/")
	for _, k := range Kinds() {
		if k.Name != meta.Kind || k.Group != group {
			continue
		}
		o := &Object{
			Kind: meta.Kind, Namespace: meta.Namespace, Name: meta.Name, annotations: meta.Annotations, labels: meta.Labels,
		}
		if o.Name == "" && meta.GenerateName != "" {
			o.Name = meta.GenerateName + "*"
		}
		if o.Namespace == "" && k.Namespaced {
			o.Namespace = namespace
		}
		if err := k.decode(o, raw); err != nil {
			return nil, fmt.Errorf("can't decode the %s: %w", o.Kind, err)
		}
		if o.workflow != nil && o.workflow.Namespace == "" {
			o.workflow.Namespace = namespace
		}
		return o, nil
	}
	return nil, nil
}

// String returns the kind, the namespace and the name.
func (o *Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name)
}

// Skipped returns the rules that annotations skip, those of the object and those of the Workflow that it would create, and the names
// in them that are not rules.
func (o *Object) Skipped() (rules, unknown []string) {
	rules, unknown = validators.Skipped(o.annotations)
	if o.workflow != nil && o.Kind != "Workflow" {
		more, others := validators.Skipped(o.workflow.Annotations)
		rules, unknown = append(rules, more...), append(unknown, others...)
	}
	return rules, unknown
}

// Mode returns the mode of the object: for a Profile, the mode of its own label, otherwise the mode of its namespace. It is Off if the
// namespace is exempt, and "" if no mode is set. The function modeOf returns the mode of a namespace. It may be nil.
func (o *Object) Mode(modeOf func(namespace string) validators.Mode) validators.Mode {
	namespace := o.Namespace
	if o.profile != nil {
		namespace = o.Name
	}
	mode := validators.Mode("")
	if modeOf != nil {
		mode = modeOf(namespace)
	}
	if o.profile != nil && mode != validators.Off {
		mode, _ = validators.LabelMode(o.labels)
	}
	return mode
}

// Evaluate applies the enabled rules.
func (o *Object) Evaluate(facts validators.Facts, options validators.Options, enabled func(rule string) bool) []validators.Finding {
	if o.profile != nil {
		return validators.JudgeProfile(validators.ProfileChange{New: o.profile}, facts, enabled)
	}
	findings := validators.JudgeWorkflow(o.workflow, facts, options, enabled)
	for i := range findings {
		if o.parameterPaths != nil {
			findings[i].MapFields(o.pipelinePath)
			continue
		}
		findings[i].MapFields(func(field string) string {
			if rest, ok := strings.CutPrefix(field, "spec"); ok {
				return o.specPath + rest
			}
			return field
		})
	}
	return findings
}
