package forecast

import (
	"regexp"
	"slices"
	"strings"
)

// InvalidCondition is a step's condition, the when field, that can't be evaluated. The step ends in
// error.
type InvalidCondition struct {
	// Origin names the steps that have the condition. Its Certainty is that of reaching such a
	// step.
	Origin Origin
	// Text is the condition with all known values filled in. Argo sees exactly this text unless
	// Partial is set.
	Text string
	// Partial is set if part of the condition is known only at run time. The known part is invalid
	// whatever the rest turns out to be.
	Partial bool
	// Reason is the evaluator's error message.
	Reason string
	// Tags are the tags whose values make the condition invalid, such as
	// workflow.parameters.config. There are none if the condition is invalid as its author wrote
	// it.
	Tags []string
}

// maxConditions limits the number of conditions that a forecast lists.
const maxConditions = 100

// defaultOutputs returns the values that output parameters of steps or tasks have if their programs
// write nothing. callees maps the names of the steps to their templates. group is "steps" or
// "tasks".
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

// recordInvalidCondition records the condition of c if it can't be evaluated, for the reason in
// err. A nil err means that part of the condition is known only at run time; it is recorded only if
// it is invalid regardless.
func (w *walker) recordInvalidCondition(c templateCall, known tagValues, err *conditionError, pos position) {
	text := c.when
	partial := err == nil
	if partial {
		outputs := c.defaultOutputs()
		known = mergeValues(known, outputs) // values that the tags may have
		text = resolveTagsInText(w.budget, text, outputs)
		if err = w.partialConditionError(c.originalWhen, text, known); err == nil {
			return
		}
	}
	path := c.path.Child("when")
	i := slices.IndexFunc(w.out.InvalidConditions, func(other InvalidCondition) bool {
		return other.Text == text && other.Origin.Path.String() == path.String()
	})
	if i < 0 {
		if len(w.out.InvalidConditions) == maxConditions {
			return
		}
		i = len(w.out.InvalidConditions)
		w.out.InvalidConditions = append(w.out.InvalidConditions, InvalidCondition{
			Origin:  Origin{Path: path},
			Text:    text,
			Partial: partial,
			Reason:  err.reason,
			Tags:    w.tagsAtFault(c.originalWhen, known),
		})
	}
	if partial {
		pos = pos.capCertainty(Possible)
	}
	w.out.InvalidConditions[i].Origin.addStep(pos)
}

var conditionTag = regexp.MustCompile(`\{\{\s*([^{}=][^{}]*?)\s*\}\}`)

// placeholderValue is valid wherever a condition may have a value.
const placeholderValue = "x"

// partialConditionError returns why a partly known condition can't be parsed, or nil if it may be
// valid. It blames the known values only if the condition parses with a placeholder in their place.
func (w *walker) partialConditionError(when, text string, known tagValues) *conditionError {
	if tooCostly(w.budget, text) || len(w.knownTags(when, known)) == 0 {
		return nil
	}
	if _, err := evaluateWhen(conditionTag.ReplaceAllString(when, placeholderValue)); err != nil && err.unparsable {
		return nil // the placeholder itself may be at fault
	}
	_, err := evaluateWhen(conditionTag.ReplaceAllString(text, placeholderValue))
	if err == nil || !err.unparsable {
		return nil
	}
	return err
}

// knownTags returns the tags of a condition whose values are known, without duplicates.
func (w *walker) knownTags(when string, known tagValues) []string {
	var tags []string
	for _, m := range conditionTag.FindAllStringSubmatch(when, -1) {
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

// tagsAtFault returns the tags whose values make a condition invalid: each tag for which another
// value would make it valid or, if there is no such tag, each whose value contains quotes. An input
// that gets its value from one of the run's parameters is reported as that parameter.
func (w *walker) tagsAtFault(when string, known tagValues) []string {
	var culprits, quoted []string
	tags := w.knownTags(when, known)
	for _, tag := range tags {
		text := conditionTag.ReplaceAllStringFunc(when, func(match string) string {
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
			culprits = append(culprits, w.parameterBehind(tag, value))
		}
		if strings.ContainsAny(value, `'"\`) {
			quoted = append(quoted, w.parameterBehind(tag, value))
		}
	}
	if len(culprits) > 0 {
		return culprits
	}
	return quoted
}

// parameterBehind returns the tag of the run's parameter that has the given value. If there is
// none, it returns the tag itself.
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
