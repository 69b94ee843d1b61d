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

// Object is one that can be judged.
type Object struct {
	Kind, Namespace, Name string

	annotations map[string]string
	labels      map[string]string
	profile     *validators.Profile
	workflow    *wfv1.Workflow
	// spec is where the Workflow's spec stands in the object.
	spec string
	// places are where the values of the Workflow's parameters stand, if the Workflow is compiled.
	places []string
}

// Kind is a kind of object that can be judged.
type Kind struct {
	Group, Version, Resource, Name string
	Namespaced                     bool

	decode func(o *Object, raw []byte) error
}

// Kinds are all that can be judged. The version is the one to ask a cluster for; others are read as well.
func Kinds() []Kind {
	return []Kind{
		{"kubeflow.org", "v1", "profiles", "Profile", false, profile},
		{"argoproj.io", "v1alpha1", "workflows", "Workflow", true, workflow},
		{"argoproj.io", "v1alpha1", "cronworkflows", "CronWorkflow", true, cronWorkflow},
		{"argoproj.io", "v1alpha1", "workflowtemplates", "WorkflowTemplate", true, workflowTemplate},
		{"argoproj.io", "v1alpha1", "clusterworkflowtemplates", "ClusterWorkflowTemplate", false, workflowTemplate},
		{"kubeflow.org", "v1beta1", "scheduledworkflows", "ScheduledWorkflow", true, scheduledWorkflow},
	}
}

func profile(o *Object, raw []byte) error {
	o.profile = &validators.Profile{}
	return kjson.Unmarshal(raw, o.profile)
}

func workflow(o *Object, raw []byte) (err error) {
	o.spec = "spec"
	o.workflow, err = forecast.Decode[wfv1.Workflow](raw)
	return err
}

// Decode reads an object from JSON; nil if it is of no kind that can be judged. An object without a namespace is taken to be in
// the given one.
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
		o := &Object{Kind: meta.Kind, Namespace: meta.Namespace, Name: meta.Name, annotations: meta.Annotations, labels: meta.Labels}
		if o.Name == "" && meta.GenerateName != "" {
			o.Name = meta.GenerateName + "*"
		}
		if o.Namespace == "" && k.Namespaced {
			o.Namespace = namespace
		}
		if err := k.decode(o, raw); err != nil {
			return nil, fmt.Errorf("the %s can't be read: %w", o.Kind, err)
		}
		if o.workflow != nil && o.workflow.Namespace == "" {
			o.workflow.Namespace = namespace
		}
		return o, nil
	}
	return nil, nil
}

// String names the object for a reader.
func (o *Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return fmt.Sprintf("%s %s/%s", o.Kind, o.Namespace, o.Name)
}

// Skipped are the rules that annotations switch off: the object's own, and those of the Workflows that come out of it.
func (o *Object) Skipped() (rules, unknown []string) {
	rules, unknown = validators.Skipped(o.annotations)
	if o.workflow != nil && o.Kind != "Workflow" {
		more, others := validators.Skipped(o.workflow.Annotations)
		rules, unknown = append(rules, more...), append(unknown, others...)
	}
	return rules, unknown
}

// Mode is that of the object's namespace, or what a Profile says of itself. An exempt namespace is off for both.
func (o *Object) Mode(of func(namespace string) validators.Mode) validators.Mode {
	namespace := o.Namespace
	if o.profile != nil {
		namespace = o.Name
	}
	mode := validators.Mode("")
	if of != nil {
		mode = of(namespace)
	}
	if o.profile != nil && mode != validators.Off {
		mode, _ = validators.LabelMode(o.labels)
	}
	return mode
}

// Evaluate asks the rules that are on and not skipped.
func (o *Object) Evaluate(facts validators.Facts, options validators.Options, on func(rule string) bool) []validators.Finding {
	if o.profile != nil {
		return validators.JudgeProfile(validators.ProfileChange{New: o.profile}, facts, on)
	}
	findings := validators.JudgeWorkflow(o.workflow, facts, options, on)
	for i := range findings {
		if o.places != nil {
			findings[i].MapFields(o.placeOf)
			continue
		}
		findings[i].MapFields(func(field string) string {
			if rest, ok := strings.CutPrefix(field, "spec"); ok {
				return o.spec + rest
			}
			return field
		})
	}
	return findings
}
