package validators

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kfp-preflight/kfp-preflight/validators/charset"
	"github.com/kfp-preflight/kfp-preflight/validators/texts"
)

// charsetScan gathers what a database can't store of a Workflow that KFP writes to it as JSON.
type charsetScan struct {
	charset charset.Charset
	// escapes says that the Workflow comes from a compiler which escapes line and paragraph separators, as JSON does again here.
	// Those of a Workflow that somebody wrote by hand are stored as they are, too.
	escapes bool

	characters []rune // each once, in the order of their places
	places     []charsetPlace
	sure       bool // at least one certainly gets to the database as it is
}

// charsetPlace is a text with such characters.
type charsetPlace struct {
	field string
	// said is the place for a reader.
	said string
}

// scan looks through the Workflow as KFP writes it.
// Source: kubeflow/pipelines 7b70c7b backend/src/common/util/workflow.go ToStringForStore.
func (u *charsetScan) scan(wf *wfv1.Workflow) error {
	if !texts.Any(wf, mayBeUnstorable) {
		return nil // most Workflows are plain ASCII
	}
	raw, err := json.Marshal(wf)
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		u.walk(wf, tree[key], field.NewPath(key))
	}
	return nil
}

// mayBeUnstorable reports whether a text, or a piece of JSON, has any but the plainest characters.
func mayBeUnstorable(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return true
		}
	}
	return strings.Contains(text, `\u202`) // in a piece of JSON
}

func (u *charsetScan) walk(wf *wfv1.Workflow, v any, at *field.Path) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child := at.Child(key)
			if strings.ContainsAny(key, "./") {
				child = at.Key(key)
			}
			u.text(wf, key, child)
			u.walk(wf, v[key], child)
		}
	case []any:
		for i := range v {
			u.walk(wf, v[i], at.Index(i))
		}
	case string:
		u.text(wf, v, at)
	}
}

// text takes up what can't be stored of one text.
func (u *charsetScan) text(wf *wfv1.Workflow, text string, at *field.Path) {
	var bad []rune
	for _, r := range text {
		if !u.charset.Stores(r) && u.getsThere(r, at) && !slices.Contains(bad, r) {
			bad = append(bad, r)
		}
	}
	if len(bad) == 0 {
		return
	}
	for _, r := range bad {
		if !slices.Contains(u.characters, r) {
			u.characters = append(u.characters, r)
		}
		u.sure = u.sure || !separator(r) || isRunName(at)
	}
	u.places = append(u.places, charsetPlace{at.String(), placeOf(wf, at.String())})
}

// getsThere reports whether the character may get to the database as it is. JSON escapes two of them; the run's name has a column
// of its own.
func (u *charsetScan) getsThere(r rune, at *field.Path) bool {
	return !separator(r) || !u.escapes || isRunName(at)
}

func separator(r rune) bool { return r == '\u2028' || r == '\u2029' }

func isRunName(at *field.Path) bool {
	return at.String() == field.NewPath("metadata", "annotations").Key(runNameAnnotation).String()
}

// placeOf says for a reader where a field is.
func placeOf(wf *wfv1.Workflow, at string) string {
	var i int
	switch {
	case strings.HasPrefix(at, "metadata.annotations["+runNameAnnotation):
		return "the run's name"
	case strings.HasPrefix(at, "metadata.annotations"):
		return strings.Replace(strings.TrimSuffix(strings.TrimPrefix(at, "metadata."), "]"), "annotations[", "annotation ", 1)
	case scanned(at, "spec.templates[%d]", &i) && i < len(wf.Spec.Templates):
		return fmt.Sprintf("template '%s'", wf.Spec.Templates[i].Name)
	case scanned(at, "spec.arguments.parameters[%d]", &i) && i < len(wf.Spec.Arguments.Parameters):
		return parameterOf(wf, wf.Spec.Arguments.Parameters[i].Name)
	}
	return at
}

func scanned(text, format string, into *int) bool {
	n, _ := fmt.Sscanf(text, format, into)
	return n == 1
}

// parameterOf says which parameter it is or, of those in which KFP v2 keeps components, which component.
// Source: kubeflow/pipelines 7b70c7b backend/src/v2/compiler/argocompiler/argo.go argumentsPlaceholder.
func parameterOf(wf *wfv1.Workflow, name string) string {
	for _, prefix := range []string{"components-", "implementations-", "kubernetes-"} {
		hash, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		for _, p := range wf.Spec.Arguments.Parameters {
			var component struct {
				ExecutorLabel string `json:"executorLabel"`
			}
			if p.Name == "components-"+hash && p.Value != nil && json.Unmarshal([]byte(*p.Value), &component) == nil && component.ExecutorLabel != "" {
				return fmt.Sprintf("component '%s'", strings.TrimPrefix(component.ExecutorLabel, "exec-"))
			}
		}
	}
	return fmt.Sprintf("parameter '%s'", name)
}

// described is a character for a reader who may not see it.
func described(r rune) string {
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return fmt.Sprintf("%U (%s)", r, name)
		}
	}
	return fmt.Sprintf("%U", r)
}
