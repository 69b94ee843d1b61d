package texts

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// filler fills every field of an object and gives each string a different number.
type filler struct{ count int }

func (f *filler) next() string {
	f.count++
	return fmt.Sprintf("needle-%d.", f.count)
}

func (f *filler) fill(v reflect.Value, depth int) {
	switch into := v.Addr().Interface().(type) {
	case *metav1.Time, *metav1.MicroTime:
		return
	case *resource.Quantity:
		*into = resource.MustParse("1")
		return
	case *intstr.IntOrString:
		*into = intstr.FromString(f.next())
		return
	case *wfv1.Item:
		into.Value = json.RawMessage(`{"` + f.next() + `":["` + f.next() + `"]}`)
		return
	case *wfv1.Amount:
		into.Value = "1"
		return
	case *wfv1.Plugin:
		into.Value = json.RawMessage(`{"` + f.next() + `":1}`)
		return
	case *wfv1.Object:
		into.Value = json.RawMessage(`"` + f.next() + `"`)
		return
	case *metav1.FieldsV1:
		into.SetRawString(`{"` + f.next() + `":{}}`)
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.next())
	case reflect.Pointer:
		if depth > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			f.fill(v.Elem(), depth-1)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 && depth > 0 {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			f.fill(v.Index(0), depth-1)
			f.fill(v.Index(1), depth-1)
		}
	case reflect.Map:
		if depth > 0 {
			v.Set(reflect.MakeMap(v.Type()))
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key, depth-1)
			f.fill(value, depth-1)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i), depth)
		}
	}
}

// filledWorkflow returns a Workflow with a string in each field that can hold one, its JSON, and the strings.
func filledWorkflow(t *testing.T, depth int) (wf *wfv1.Workflow, asJSON string, needles []string) {
	t.Helper()
	wf = new(wfv1.Workflow)
	new(filler).fill(reflect.ValueOf(wf).Elem(), depth)
	raw, err := json.Marshal(wf)
	if err != nil {
		t.Fatal(err)
	}
	needles = regexp.MustCompile(`needle-\d+\.`).FindAllString(string(raw), -1)
	if len(needles) < 500 {
		t.Fatalf("only %d strings", len(needles))
	}
	return wf, string(raw), needles
}

func TestContainsFunc(t *testing.T) {
	wf, _, needles := filledWorkflow(t, 6)
	for i, needle := range needles {
		if i%(len(needles)/500) != 0 {
			continue // about 500 of them suffice
		}
		if !ContainsFunc(wf, func(text string) bool { return strings.Contains(text, needle) }) {
			t.Errorf("%s is in the JSON but not found", needle)
		}
	}
	if ContainsFunc(wf, func(text string) bool { return strings.Contains(text, "hay") }) {
		t.Error("a string is found that is not in the Workflow")
	}
}

// countingReplacer replaces substrings of strings and of JSON, and adds up what it is charged. It fails above a limit, if any.
type countingReplacer struct {
	*strings.Replacer
	charged *int
	limit   int
}

func (r countingReplacer) ReplaceString(text string) (string, error) { return r.Replace(text), nil }
func (r countingReplacer) ReplaceJSON(text string) (string, error)   { return r.Replace(text), nil }

var errLimit = errors.New("limit exceeded")

func (r countingReplacer) Charge(bytes int) error {
	if *r.charged += bytes; r.limit > 0 && *r.charged > r.limit {
		return errLimit
	}
	return nil
}

// TestReplace replaces all strings, one and none, and compares the result with a replacement in the JSON. The original must not
// change.
func TestReplace(t *testing.T) {
	wf, before, needles := filledWorkflow(t, 6)
	for name, change := range map[string]*strings.Replacer{
		"all": strings.NewReplacer("needle-", "straw-"), "none": strings.NewReplacer("hay", "straw"),
		"one": strings.NewReplacer(needles[len(needles)/2], "straw"), "the last": strings.NewReplacer(needles[len(needles)-1], "straw"),
	} {
		charged := 0
		got := *wf
		if err := Replace(&got, countingReplacer{change, &charged, 0}); err != nil {
			t.Fatal(name, err)
		}
		raw, err := json.Marshal(got)
		if err != nil {
			t.Fatal(name, err)
		}
		if want := change.Replace(before); string(raw) != want {
			t.Errorf("%s: %d of the strings are not replaced, or others are", name,
				strings.Count(string(raw), "needle")-strings.Count(want, "needle"))
		}
		if same, _ := json.Marshal(wf); string(same) != before {
			t.Errorf("%s: the original has changed", name)
		}
		if charged < len(needles)*len("needle-") {
			t.Errorf("%s: only %d is charged for %d strings", name, charged, len(needles))
		}
		if err := Replace(&got, countingReplacer{change, new(int), charged / 2}); !errors.Is(err, errLimit) {
			t.Errorf("%s: with half of the limit the error is %v", name, err)
		}
	}
}

// TestReplaceSharesUnchanged checks that parts in which nothing changes are not copied.
func TestReplaceSharesUnchanged(t *testing.T) {
	wf := &wfv1.Workflow{Spec: wfv1.WorkflowSpec{Templates: []wfv1.Template{
		{Name: "needle", Container: nil, Metadata: wfv1.Metadata{Labels: map[string]string{"a": "b"}}},
		{Name: "other", Steps: []wfv1.ParallelSteps{{}}},
	}}}
	got := *wf
	if err := Replace(&got, countingReplacer{strings.NewReplacer("needle", "straw"), new(int), 0}); err != nil {
		t.Fatal(err)
	}
	if got.Spec.Templates[0].Name != "straw" || wf.Spec.Templates[0].Name != "needle" {
		t.Errorf("%s, and in the original %s", got.Spec.Templates[0].Name, wf.Spec.Templates[0].Name)
	}
	if &got.Spec.Templates[1].Steps[0] != &wf.Spec.Templates[1].Steps[0] {
		t.Error("a slice is copied in which nothing changes")
	}
}

// TestReplaceEqualKeys checks that the last of several keys that become equal wins, as in JSON.
func TestReplaceEqualKeys(t *testing.T) {
	labels := map[string]string{"a": "1", "b": "2", "c": "3"}
	if err := Replace(&labels, countingReplacer{strings.NewReplacer("a", "x", "b", "x"), new(int), 0}); err != nil {
		t.Fatal(err)
	}
	if len(labels) != 2 || labels["x"] != "2" {
		t.Errorf("%v", labels)
	}
}
