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

// filling fills every field of an object, each text with another number.
type filling struct{ texts int }

func (f *filling) next() string {
	f.texts++
	return fmt.Sprintf("needle-%d.", f.texts)
}

func (f *filling) fill(v reflect.Value, depth int) {
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

// full is a Workflow with a text in each field that can have one.
func full(t *testing.T, depth int) (wf *wfv1.Workflow, asJSON string, texts []string) {
	t.Helper()
	wf = new(wfv1.Workflow)
	new(filling).fill(reflect.ValueOf(wf).Elem(), depth)
	raw, err := json.Marshal(wf)
	if err != nil {
		t.Fatal(err)
	}
	texts = regexp.MustCompile(`needle-\d+\.`).FindAllString(string(raw), -1)
	if len(texts) < 500 {
		t.Fatalf("only %d texts", len(texts))
	}
	return wf, string(raw), texts
}

func TestAny(t *testing.T) {
	wf, _, texts := full(t, 6)
	for i, needle := range texts {
		if i%(len(texts)/500) != 0 {
			continue // some hundred will do
		}
		if !Any(wf, func(text string) bool { return strings.Contains(text, needle) }) {
			t.Errorf("%s is in the JSON, and not found", needle)
		}
	}
	if Any(wf, func(text string) bool { return strings.Contains(text, "hay") }) {
		t.Error("something is found that is not there")
	}
}

// replacer replaces in texts and in JSON alike, and counts what is to be paid.
type replacer struct {
	*strings.Replacer
	paid  *int
	limit int
}

func (r replacer) Text(text string) (string, error) { return r.Replace(text), nil }
func (r replacer) JSON(text string) (string, error) { return r.Replace(text), nil }

var errBroke = errors.New("no money left")

func (r replacer) Pay(bytes int) error {
	if *r.paid += bytes; r.limit > 0 && *r.paid > r.limit {
		return errBroke
	}
	return nil
}

// TestReplace replaces all texts, one, and none, and compares with what becomes of the JSON. The object itself stays as it is.
func TestReplace(t *testing.T) {
	wf, before, texts := full(t, 6)
	for name, change := range map[string]*strings.Replacer{
		"all": strings.NewReplacer("needle-", "straw-"), "none": strings.NewReplacer("hay", "straw"),
		"one": strings.NewReplacer(texts[len(texts)/2], "straw"), "the last": strings.NewReplacer(texts[len(texts)-1], "straw"),
	} {
		paid := 0
		got := *wf
		if err := Replace(&got, replacer{change, &paid, 0}); err != nil {
			t.Fatal(name, err)
		}
		raw, err := json.Marshal(got)
		if err != nil {
			t.Fatal(name, err)
		}
		if want := change.Replace(before); string(raw) != want {
			t.Errorf("%s: %d of the texts are not replaced, or others are", name, strings.Count(string(raw), "needle")-strings.Count(want, "needle"))
		}
		if same, _ := json.Marshal(wf); string(same) != before {
			t.Errorf("%s: the object itself has changed", name)
		}
		if paid < len(texts)*len("needle-") {
			t.Errorf("%s: only %d is paid for %d texts", name, paid, len(texts))
		}
		if err := Replace(&got, replacer{change, new(int), paid / 2}); !errors.Is(err, errBroke) {
			t.Errorf("%s: with half of the money it says %v", name, err)
		}
	}
}

// TestShares has the rest of an object in its old place when a part changes.
func TestShares(t *testing.T) {
	wf := &wfv1.Workflow{Spec: wfv1.WorkflowSpec{Templates: []wfv1.Template{
		{Name: "needle", Container: nil, Metadata: wfv1.Metadata{Labels: map[string]string{"a": "b"}}}, {Name: "other", Steps: []wfv1.ParallelSteps{{}}},
	}}}
	got := *wf
	if err := Replace(&got, replacer{strings.NewReplacer("needle", "straw"), new(int), 0}); err != nil {
		t.Fatal(err)
	}
	if got.Spec.Templates[0].Name != "straw" || wf.Spec.Templates[0].Name != "needle" {
		t.Errorf("%s, and in the object itself %s", got.Spec.Templates[0].Name, wf.Spec.Templates[0].Name)
	}
	if &got.Spec.Templates[1].Steps[0] != &wf.Spec.Templates[1].Steps[0] {
		t.Error("a list is copied in which nothing changes")
	}
}

// TestSameKey has two keys of a map become the same one: the last counts, as in JSON.
func TestSameKey(t *testing.T) {
	labels := map[string]string{"a": "1", "b": "2", "c": "3"}
	if err := Replace(&labels, replacer{strings.NewReplacer("a", "x", "b", "x"), new(int), 0}); err != nil {
		t.Fatal(err)
	}
	if len(labels) != 2 || labels["x"] != "2" {
		t.Errorf("%v", labels)
	}
}
