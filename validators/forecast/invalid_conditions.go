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
func defaultOutputs(in *scope, group string, callees map[string]string) tagValues {
	out := tagValues{}
	for name, template := range callees {
		t, ok := in.lookup(template)
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

// recordInvalidCondition records a condition that can't be evaluated.
func (w *walker) recordInvalidCondition(c templateCall, known tagValues, err *conditionError, pos position) {
	text := c.when
	partial := err == nil
	if partial {
		outputs := c.defaultOutputs()
		known = mergeValues(known, outputs) // the values that may come to be there
		text = resolveTagsInText(w.budget, text, outputs)
		if err = w.partialConditionError(c.originalWhen, text, known); err == nil {
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
			Origin: Origin{Path: path}, Text: text, Partial: partial, Reason: err.reason, Tags: w.tagsAtFault(c.originalWhen, known),
		})
	}
	if partial {
		pos = pos.capCertainty(Possible)
	}
	w.out.InvalidConditions[i].Origin.addStep(pos)
}

var conditionTag = regexp.MustCompile(`\{\{\s*([^{}=][^{}]*?)\s*\}\}`)

// placeholderValue is a value that fits into every condition.
const placeholderValue = "x"

// partialConditionError says why a condition of which part exists only at run time can't be an expression: what is known of it makes it none,
// where anything else in its place would not.
func (w *walker) partialConditionError(written, text string, known tagValues) *conditionError {
	if tooCostly(w.budget, text) || len(w.knownTags(written, known)) == 0 {
		return nil
	}
	if _, err := evaluateWhen(conditionTag.ReplaceAllString(written, placeholderValue)); err != nil && err.unparsable {
		return nil // it may be the placeholder
	}
	_, err := evaluateWhen(conditionTag.ReplaceAllString(text, placeholderValue))
	if err == nil || !err.unparsable {
		return nil
	}
	return err
}

// knownTags are the tags of a condition that have a value, each once.
func (w *walker) knownTags(written string, known tagValues) []string {
	var tags []string
	for _, m := range conditionTag.FindAllStringSubmatch(written, -1) {
		if _, ok := w.valueOf(m[1], known); ok && !slices.Contains(tags, m[1]) {
			tags = append(tags, m[1])
		}
	}
	return tags
}

func (w *walker) valueOf(tag string, known tagValues) (string, bool) {
	if value, ok := known[tag]; ok {
		return value, true
	}
	value, ok := w.globals[tag]
	return value, ok
}

// tagsAtFault are the tags without whose values the condition could be evaluated or, if it takes more than one, those with
// quotes. An input that has its value from a parameter of the run is called by that.
func (w *walker) tagsAtFault(written string, known tagValues) []string {
	var cures, quoted []string
	tags := w.knownTags(written, known)
	for _, tag := range tags {
		text := conditionTag.ReplaceAllStringFunc(written, func(match string) string {
			name := conditionTag.FindStringSubmatch(match)[1]
			if value, ok := w.valueOf(name, known); ok && name != tag {
				return value
			}
			return placeholderValue
		})
		value, _ := w.valueOf(tag, known)
		if tooCostly(w.budget, text) {
			continue
		}
		if _, err := evaluateWhen(text); err == nil {
			cures = append(cures, w.parameterBehind(tag, value))
		}
		if strings.ContainsAny(value, `'"\`) {
			quoted = append(quoted, w.parameterBehind(tag, value))
		}
	}
	if len(cures) > 0 {
		return cures
	}
	return quoted
}

// parameterBehind is the parameter of the run that a value comes from, as far as can be seen, or the tag.
func (w *walker) parameterBehind(tag, value string) string {
	if !strings.HasPrefix(tag, "workflow.") {
		for _, p := range w.wf.Spec.Arguments.Parameters {
			if p.Value != nil && p.Value.String() == value {
				return "workflow.parameters." + p.Name
			}
		}
	}
	return tag
}

// originalStep and writtenTask are as their author wrote them. What templateDefaults have added nobody wrote.
func originalStep(t scopedTemplate, group, i int) wfv1.WorkflowStep {
	if group < len(t.original.Steps) && i < len(t.original.Steps[group].Steps) {
		return t.original.Steps[group].Steps[i]
	}
	return wfv1.WorkflowStep{}
}

func originalTask(t scopedTemplate, i int) wfv1.DAGTask {
	if t.original.DAG != nil && i < len(t.original.DAG.Tasks) {
		return t.original.DAG.Tasks[i]
	}
	return wfv1.DAGTask{}
}
