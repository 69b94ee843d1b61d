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

// charsetScan finds the characters of a Workflow that KFP's database can't store. KFP stores Workflows as JSON text.
type charsetScan struct {
	charset charset.Charset
	// escapesSeparators says that the Workflow comes from a compiler that escapes line and paragraph separators in its JSON. In other
	// Workflows they may be stored unescaped.
	escapesSeparators bool

	characters []rune // without duplicates, in order of appearance
	places     []charsetPlace
	certain    bool // at least one character certainly reaches the database unescaped
}

// charsetPlace is a place in the Workflow with such characters.
type charsetPlace struct {
	field       string
	description string // for the user
}

// scanWorkflow scans a Workflow in the form in which KFP stores it.
// Source: kubeflow/pipelines 7b70c7b backend/src/common/util/workflow.go ToStringForStore.
func (s *charsetScan) scanWorkflow(wf *wfv1.Workflow) error {
	if !texts.ContainsFunc(wf, mayNeedScan) {
		return nil // most Workflows are ASCII
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
		s.scanValue(wf, tree[key], field.NewPath(key))
	}
	return nil
}

// mayNeedScan reports whether a text has characters beyond ASCII, possibly escaped in JSON.
func mayNeedScan(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return true
		}
	}
	return strings.Contains(text, `\u202`) // a separator, escaped in JSON
}

// scanValue scans all texts of a JSON value, including the keys of objects.
func (s *charsetScan) scanValue(wf *wfv1.Workflow, v any, at *field.Path) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			child := at.Child(key)
			if strings.ContainsAny(key, "./") {
				child = at.Key(key)
			}
			s.scanText(wf, key, child)
			s.scanValue(wf, v[key], child)
		}
	case []any:
		for i := range v {
			s.scanValue(wf, v[i], at.Index(i))
		}
	case string:
		s.scanText(wf, v, at)
	}
}

// scanText records the characters of one text that can't be stored.
func (s *charsetScan) scanText(wf *wfv1.Workflow, text string, at *field.Path) {
	var bad []rune
	for _, r := range text {
		if !s.charset.Stores(r) && s.reachesDatabase(r, at) && !slices.Contains(bad, r) {
			bad = append(bad, r)
		}
	}
	if len(bad) == 0 {
		return
	}
	for _, r := range bad {
		if !slices.Contains(s.characters, r) {
			s.characters = append(s.characters, r)
		}
		s.certain = s.certain || !isSeparator(r) || isRunName(at)
	}
	s.places = append(s.places, charsetPlace{at.String(), describePlace(wf, at.String())})
}

// reachesDatabase reports whether a character may reach the database unescaped. JSON escapes the separators; the run's name has a column of
// its own.
func (s *charsetScan) reachesDatabase(r rune, at *field.Path) bool {
	return !isSeparator(r) || !s.escapesSeparators || isRunName(at)
}

func isSeparator(r rune) bool { return r == '\u2028' || r == '\u2029' }

func isRunName(at *field.Path) bool {
	return at.String() == field.NewPath("metadata", "annotations").Key(runNameAnnotation).String()
}

// describePlace describes the place of a field for the user.
func describePlace(wf *wfv1.Workflow, at string) string {
	var i int
	switch {
	case strings.HasPrefix(at, "metadata.annotations["+runNameAnnotation):
		return "the run's name"
	case strings.HasPrefix(at, "metadata.annotations"):
		return strings.Replace(strings.TrimSuffix(strings.TrimPrefix(at, "metadata."), "]"), "annotations[", "annotation ", 1)
	case scanIndex(at, "spec.templates[%d]", &i) && i < len(wf.Spec.Templates):
		return fmt.Sprintf("template '%s'", wf.Spec.Templates[i].Name)
	case scanIndex(at, "spec.arguments.parameters[%d]", &i) && i < len(wf.Spec.Arguments.Parameters):
		return describeParameter(wf, wf.Spec.Arguments.Parameters[i].Name)
	}
	return at
}

func scanIndex(text, format string, into *int) bool {
	n, _ := fmt.Sscanf(text, format, into)
	return n == 1
}

// describeParameter names a parameter. For parameters in which KFP v2 stores components, it names the component.
// Source: kubeflow/pipelines 7b70c7b backend/src/v2/compiler/argocompiler/argo.go argumentsPlaceholder.
func describeParameter(wf *wfv1.Workflow, name string) string {
	for _, prefix := range []string{"components-", "implementations-", "kubernetes-"} {
		hash, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		for _, p := range wf.Spec.Arguments.Parameters {
			var component struct {
				ExecutorLabel string `json:"executorLabel"`
			}
			if p.Name == "components-"+hash && p.Value != nil && json.Unmarshal([]byte(*p.Value), &component) == nil &&
				component.ExecutorLabel != "" {
				return fmt.Sprintf("component '%s'", strings.TrimPrefix(component.ExecutorLabel, "exec-"))
			}
		}
	}
	return fmt.Sprintf("parameter '%s'", name)
}

// describeRune describes a character by its code point and script, because the user may not be able to see it.
func describeRune(r rune) string {
	for name, table := range unicode.Scripts {
		if name != "Common" && name != "Inherited" && unicode.Is(table, r) {
			return fmt.Sprintf("%U (%s)", r, name)
		}
	}
	return fmt.Sprintf("%U", r)
}
