package forecast

import (
	"regexp"
	"slices"
	"strings"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
)

// InvalidCondition is the condition of a step that can't be evaluated.
type InvalidCondition struct {
	// Origin says which steps have it. Certain are those that surely get their turn.
	Origin Origin
	// Text is the condition with everything filled in that is known. It is as Argo sees it unless Open.
	Text string
	// Partial says that part of the condition exists only at run time. What is known can't be part of an expression.
	Partial bool
	// Reason is what the evaluator says.
	Reason string
	// Tags are the tags whose values make the condition what it is, such as workflow.parameters.config; none where the author
	// has written it so.
	Tags []string
}

// defaultOutputs are what the output parameters of steps or tasks are if the programs put out nothing, by their tags.
func defaultOutputs(in *scope, group string, callees map[string]string) values {
	out := values{}
	for name, template := range callees {
		t, ok := in.template(template)
		if !ok {
			continue
		}
		for _, p := range t.Outputs.Parameters {
			if p.ValueFrom != nil && p.ValueFrom.Default != nil && !HasTag(p.ValueFrom.Default.String()) {
				out[group+"."+name+".outputs.parameters."+p.Name] = p.ValueFrom.Default.String()
			}
		}
	}
	return out
}

// maxConditions bounds how many conditions a forecast lists.
const maxConditions = 100

// broken records a condition that can't be evaluated.
func (w *walker) broken(c call, known values, err *conditionError, at position) {
	text := c.when
	open := err == nil
	if open {
		outputs := c.outputs()
		known = with(known, outputs) // the values that may come to be there
		text = resolveText(w.work, text, outputs)
		if err = w.breaks(c.written, text, known); err == nil {
			return
		}
	}
	path := c.path.Child("when")
	i := slices.IndexFunc(w.out.InvalidConditions, func(o InvalidCondition) bool { return o.Text == text && o.Origin.Path.String() == path.String() })
	if i < 0 {
		if len(w.out.InvalidConditions) == maxConditions {
			return
		}
		i = len(w.out.InvalidConditions)
		w.out.InvalidConditions = append(w.out.InvalidConditions, InvalidCondition{
			Origin: Origin{Path: path}, Text: text, Partial: open, Reason: err.reason, Tags: w.carriers(c.written, known),
		})
	}
	if open {
		at = at.atMost(Possible)
	}
	w.out.InvalidConditions[i].Origin.addStep(at)
}

var conditionTag = regexp.MustCompile(`\{\{\s*([^{}=][^{}]*?)\s*\}\}`)

// neutral is a value that fits into every condition.
const neutral = "x"

// breaks says why a condition of which part exists only at run time can't be an expression: what is known of it makes it none,
// where anything else in its place would not.
func (w *walker) breaks(written, text string, known values) *conditionError {
	if tooLong(w.work, text) || len(w.tagsWithValues(written, known)) == 0 {
		return nil
	}
	if _, err := evaluateWhen(conditionTag.ReplaceAllString(written, neutral)); err != nil && err.unparsable {
		return nil // it may be the placeholder
	}
	_, err := evaluateWhen(conditionTag.ReplaceAllString(text, neutral))
	if err == nil || !err.unparsable {
		return nil
	}
	return err
}

// tagsWithValues are the tags of a condition that have a value, each once.
func (w *walker) tagsWithValues(written string, known values) []string {
	var tags []string
	for _, m := range conditionTag.FindAllStringSubmatch(written, -1) {
		if _, ok := w.valueOf(m[1], known); ok && !slices.Contains(tags, m[1]) {
			tags = append(tags, m[1])
		}
	}
	return tags
}

func (w *walker) valueOf(tag string, known values) (string, bool) {
	if value, ok := known[tag]; ok {
		return value, true
	}
	value, ok := w.globals[tag]
	return value, ok
}

// carriers are the tags without whose values the condition could be evaluated or, if it takes more than one, those with
// quotes. An input that has its value from a parameter of the run is called by that.
func (w *walker) carriers(written string, known values) []string {
	var cures, quoted []string
	tags := w.tagsWithValues(written, known)
	for _, tag := range tags {
		text := conditionTag.ReplaceAllStringFunc(written, func(match string) string {
			name := conditionTag.FindStringSubmatch(match)[1]
			if value, ok := w.valueOf(name, known); ok && name != tag {
				return value
			}
			return neutral
		})
		value, _ := w.valueOf(tag, known)
		if tooLong(w.work, text) {
			continue
		}
		if _, err := evaluateWhen(text); err == nil {
			cures = append(cures, w.source(tag, value))
		}
		if strings.ContainsAny(value, `'"\`) {
			quoted = append(quoted, w.source(tag, value))
		}
	}
	if len(cures) > 0 {
		return cures
	}
	return quoted
}

// source is the parameter of the run that a value comes from, as far as can be seen, or the tag.
func (w *walker) source(tag, value string) string {
	if !strings.HasPrefix(tag, "workflow.") {
		for _, p := range w.wf.Spec.Arguments.Parameters {
			if p.Value != nil && p.Value.String() == value {
				return "workflow.parameters." + p.Name
			}
		}
	}
	return tag
}

// writtenStep and writtenTask are as their author wrote them. What templateDefaults have added nobody wrote.
func writtenStep(t placed, group, i int) wfv1.WorkflowStep {
	if group < len(t.written.Steps) && i < len(t.written.Steps[group].Steps) {
		return t.written.Steps[group].Steps[i]
	}
	return wfv1.WorkflowStep{}
}

func writtenTask(t placed, i int) wfv1.DAGTask {
	if t.written.DAG != nil && i < len(t.written.DAG.Tasks) {
		return t.written.DAG.Tasks[i]
	}
	return wfv1.DAGTask{}
}
