package forecast

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// prepare returns the template as it runs with the given arguments: with templateDefaults merged
// in, its inputs resolved, and every known tag replaced.
// Source: argoproj/argo-workflows v3.7.3 workflow/controller/operator.go executeTemplate, workflow/common/util.go ProcessArgs.
func (w *walker) prepare(t scopedTemplate, args wfv1.Arguments) (scopedTemplate, error) {
	tmpl, err := mergeTemplateDefaults(w.budget, t.Template, w.wf.Spec.TemplateDefaults)
	if err != nil {
		return t, fmt.Errorf("the templateDefaults can't be merged into the template: %w", err)
	}
	unreadable := func(err error) error {
		return fmt.Errorf("the template can't be read once its parameters are filled in: %w", err)
	}
	// The workflow.* tags are replaced in the template's own inputs, but not in the caller's
	// arguments.
	own, inputs := *tmpl, tmpl.Inputs
	if err := resolveTags(w.budget, &inputs, w.globals); err != nil {
		return t, unreadable(err)
	}
	t.inputs, t.usesConfigMap = w.inputValues(inputs, args)
	inputs.Artifacts = withArtifactArguments(inputs.Artifacts, args)
	if err := resolveTags(w.budget, &inputs, t.inputs); err != nil {
		return t, unreadable(err)
	}
	own.Inputs = wfv1.Inputs{}
	if err := resolveTags(w.budget, &own, w.globals, t.inputs); err != nil {
		return t, unreadable(err)
	}
	own.Inputs = inputs
	t.Template = &own
	key, err := inputsKey(t.inputs, t.Inputs.Artifacts)
	if err == nil {
		err = w.budget.spend(len(key))
	}
	t.key += "\x00" + key
	return t, err
}

// inputsKey returns a key that is equal exactly for equal inputs.
func inputsKey(inputs tagValues, artifacts wfv1.Artifacts) (string, error) {
	var key []byte
	part := func(text string) {
		key = strconv.AppendInt(key, int64(len(text)), 10)
		key = append(append(key, ':'), text...)
	}
	names := slices.AppendSeq(make([]string, 0, len(inputs)), maps.Keys(inputs))
	slices.Sort(names)
	for _, name := range names {
		part(name)
		part(inputs[name])
	}
	if len(artifacts) == 0 {
		return string(key), nil
	}
	raw, err := json.Marshal(artifacts)
	return string(key) + "\x00" + string(raw), err
}
