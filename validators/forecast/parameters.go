package forecast

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
)

// globalValues returns the values of the workflow.* tags that are known at admission.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go setGlobalParameters.
func (w *walker) globalValues() tagValues {
	wf := w.wf
	known := tagValues{
		"workflow.mainEntrypoint":     wf.Spec.Entrypoint,
		"workflow.serviceAccountName": wf.Spec.ServiceAccountName,
	}
	// The API server sets these before validating admission, but a file on disk may lack them.
	for tag, value := range map[string]string{
		"workflow.name": wf.Name, "workflow.namespace": wf.Namespace, "workflow.uid": string(wf.UID),
	} {
		if value != "" {
			known[tag] = value
		}
	}
	if created := wf.CreationTimestamp; !created.IsZero() {
		known["workflow.creationTimestamp"] = created.UTC().Format(time.RFC3339)
		known["workflow.creationTimestamp.RFC3339"] = created.UTC().Format(time.RFC3339)
		known["workflow.creationTimestamp.s"] = strconv.FormatInt(created.Unix(), 10)
	}
	if wf.Spec.Priority != nil {
		known["workflow.priority"] = strconv.Itoa(int(*wf.Spec.Priority))
	}
	w.addMetadataValues(known)
	for _, p := range wf.Spec.Arguments.Parameters {
		tag := "workflow.parameters." + p.Name
		switch {
		case p.Value != nil:
			known[tag] = p.Value.String()
		case p.ValueFrom != nil && p.ValueFrom.ConfigMapKeyRef != nil:
			if value, ok := w.configMapValue(p.Name, p.ValueFrom, nil); ok {
				known[tag] = value
			}
		}
	}
	return known
}

// addMetadataValues adds the values of labels and annotations, except those that Argo computes from
// an expression.
func (w *walker) addMetadataValues(known tagValues) {
	labels, annotations := maps.Clone(w.wf.Labels), maps.Clone(w.wf.Annotations)
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	if m := w.wf.Spec.WorkflowMetadata; m != nil {
		maps.Copy(labels, m.Labels)
		maps.Copy(annotations, m.Annotations)
		for name := range m.LabelsFrom {
			delete(labels, name)
		}
	}
	for name, value := range labels {
		known["workflow.labels."+name] = value
	}
	for name, value := range annotations {
		known["workflow.annotations."+name] = value
	}
}

// inputValues returns the values of the inputs.parameters.* tags of a template that is called with
// args. A parameter's value is the caller's argument, else its own value, else its default. A value
// that contains a tag is used as it is, so that it remains recognizable as known only at run time.
// usesConfigMap is set if a value comes from a ConfigMap, which may change before the step runs.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/util.go ProcessArgs.
func (w *walker) inputValues(inputs wfv1.Inputs, args wfv1.Arguments) (known tagValues, usesConfigMap bool) {
	known = tagValues{}
	given := make(map[string]*wfv1.Parameter, len(args.Parameters))
	for i := len(args.Parameters) - 1; i >= 0; i-- { // backward, because the first of a name counts
		given[args.Parameters[i].Name] = &args.Parameters[i]
	}
	for _, in := range inputs.Parameters {
		value, from := in.Value, in.ValueFrom
		if value == nil {
			value = in.Default
		}
		if arg := given[in.Name]; arg != nil {
			value, from = arg.Value, nil
			if arg.Value == nil {
				from = arg.ValueFrom
			}
		}
		tag := "inputs.parameters." + in.Name
		if from != nil && from.ConfigMapKeyRef != nil {
			if value, ok := w.configMapValue(in.Name, from, w.globals); ok {
				known[tag], usesConfigMap = value, true
			}
		} else if value != nil {
			known[tag] = value.String()
		}
	}
	return known, usesConfigMap
}

// The label that a ConfigMap must have to provide parameters, and its value.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/configmap.go.
const configMapTypeLabel, parameterConfigMapType = "workflows.argoproj.io/configmap-type", "Parameter"

// configMapValue returns the value of a parameter from a ConfigMap in the Workflow's namespace. The
// ConfigMap's name and key may contain tags. ok is false if the value is not known.
// Source: argoproj/argo-workflows v3.7.3 workflow/common/configmap.go GetConfigMapValue, util.go substituteAndGetConfigMapValue.
func (w *walker) configMapValue(parameter string, from *wfv1.ValueFrom, known tagValues) (value string, ok bool) {
	name, key := resolveTagsInText(w.budget, from.ConfigMapKeyRef.Name, known), resolveTagsInText(w.budget, from.ConfigMapKeyRef.Key, known)
	if HasTag(name) || HasTag(key) {
		return "", false
	}
	cm, err := w.facts.ConfigMap(w.wf.Namespace, name)
	if err != nil {
		w.addNote("", fmt.Sprintf("the value of parameter %s is not known: %v", parameter, err))
		return "", false
	}
	if cm != nil {
		if value, ok := parameterFrom(cm, key); ok {
			return value, true
		}
	}
	if from.Default != nil {
		return from.Default.String(), true
	}
	w.addNote("", fmt.Sprintf("parameter %s has no value: there is no ConfigMap %s with the label %s: %s and the key %s",
		parameter, name, configMapTypeLabel, parameterConfigMapType, key))
	return "", false
}

// parameterFrom returns the value of a key in a ConfigMap that has the right label.
func parameterFrom(cm *corev1.ConfigMap, key string) (value string, ok bool) {
	if cm.Labels[configMapTypeLabel] != parameterConfigMapType {
		return "", false
	}
	value, ok = cm.Data[key]
	return value, ok
}
