package forecast

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// resolveInJSON resolves tags as Argo does, in the JSON of the whole spec.
func resolveInJSON(v *wfv1.WorkflowSpec, known tagValues) (*wfv1.WorkflowSpec, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	replaced, err := replaceTags(string(raw), known.jsonQuoted)
	if err != nil {
		return nil, err
	}
	out := new(wfv1.WorkflowSpec)
	return out, json.Unmarshal([]byte(replaced), out)
}

// odd are pieces of text that JSON changes or rejects, and pieces of tags.
var odd = []string{
	"", "a", "{{", "}}", "}", "{", " ", "\n", "\t", "\r", "\x00", "\x07", "\x0b", "\x7f", "\"",
	"\\", "<", ">", "&", "\u00a0", "\u0085", "\u2028", "é", "😀",
	"\U000e0001", "\xff", "inputs.parameters.a", "workflow.name", "=", "{{inputs.parameters.a}}",
	"{{ workflow.name }}", "5", "true", "null", `\"`, `{"a": 1}`,
}

// FuzzResolve compares resolveTags with Argo's way of replacing tags in the same object. The seeds
// are real Workflows, into which it scatters odd texts.
func FuzzResolve(f *testing.F) {
	files, err := filepath.Glob("../../testdata/workflow/*/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		documents := strings.Split(string(text), "\n---\n")
		raw, err := yaml.YAMLToJSON([]byte(documents[len(documents)-1]))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw), uint64(i))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		wf, err := Decode[wfv1.Workflow]([]byte(text))
		if err != nil {
			return
		}
		random := rand.New(rand.NewPCG(seed, 0))
		piece := func() string { return odd[random.IntN(len(odd))] }
		mixed := func() string { return piece() + piece() + piece() }
		known := tagValues{"workflow.name": mixed(), "workflow.namespace": "team-a", "inputs.parameters.a": mixed(), mixed(): mixed()}
		for range random.IntN(8) {
			known["inputs.parameters."+strconv.Itoa(random.IntN(5))] = mixed()
		}
		for i := range wf.Spec.Templates {
			scatter(random, &wf.Spec.Templates[i], mixed)
		}
		spec := new(wfv1.WorkflowSpec) // which JSON gives back as it is
		raw, err := json.Marshal(wf.Spec)
		if err != nil || json.Unmarshal(raw, spec) != nil {
			return
		}
		before, err := json.Marshal(spec)
		if err != nil {
			return
		}
		got := *spec
		err = resolveTags(&budget{1 << 40}, &got, known)
		want, wantErr := resolveInJSON(spec, known)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("seed %d: error %v, Argo's %v", seed, err, wantErr)
		}
		if after, _ := json.Marshal(spec); string(after) != string(before) {
			t.Fatalf("seed %d: the object itself was changed", seed)
		}
		if err != nil {
			return
		}
		ours, _ := json.Marshal(got)
		theirs, _ := json.Marshal(want)
		if string(ours) != string(theirs) {
			t.Fatalf("seed %d, known %q:\n  got %s\n want %s", seed, known, ours, theirs)
		}
	})
}

// scatter puts texts into random fields of a template.
func scatter(random *rand.Rand, t *wfv1.Template, mixed func() string) {
	if random.IntN(2) == 0 {
		t.Metadata.Labels = map[string]string{mixed(): mixed(), "a": mixed(), mixed(): "b"}
	}
	if random.IntN(2) == 0 {
		t.Annotations = map[string]string{mixed(): mixed()}
	}
	if random.IntN(2) == 0 {
		value := wfv1.AnyString(mixed())
		t.Inputs.Parameters = append(t.Inputs.Parameters, wfv1.Parameter{Name: mixed(), Value: &value})
	}
	if random.IntN(2) == 0 {
		item, _ := json.Marshal(map[string]any{mixed(): mixed(), "n": 1.5})
		t.Steps = append(t.Steps,
			wfv1.ParallelSteps{Steps: []wfv1.WorkflowStep{{Name: mixed(), When: mixed(), WithItems: []wfv1.Item{{Value: item}}}}})
	}
	if c := t.Container; c != nil && random.IntN(2) == 0 {
		c.Args = append(c.Args, mixed(), mixed())
	}
}

func TestReplaceTags(t *testing.T) {
	known := tagValues{"a": "1", "b": "{{a}}", "c": `x"y`}
	for text, want := range map[string]string{
		"{{a}} {{ a }} {{unknown}}": "1 1 {{unknown}}",
		"{{b}}":                     "{{a}}", // what is put in is not looked at again
		"{{x.{{a}}}}":               "{{x.1}}",
		"}} {{ {{a":                 "}} {{ {{a",
		`{"k":{"n":{}}} {{c}}`:      `{"k":{"n":{}}} x"y`,
		"{{=a}}":                    "{{=a}}",
	} {
		assertEqual(t, text, resolveTagsInText(&budget{maxWork}, text, known), want)
	}
	got := corev1.EnvVar{Name: "{{c}}"}
	if err := resolveTags(&budget{maxWork}, &got, known); err != nil || got.Name != `x"y` {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestOddTags uses tags with characters that JSON escapes, which Argo does not find, and a value
// that is invalid in JSON.
func TestOddTags(t *testing.T) {
	known := tagValues{"a&b": "1", "c": "2", "bell": "\a"}
	for text, want := range map[string]string{"{{a&b}}": "{{a&b}}", "{{\nc}}": "{{\nc}}", "{{ c }}": "2"} {
		got := corev1.EnvVar{Name: text}
		if err := resolveTags(&budget{maxWork}, &got, known); err != nil || got.Name != want {
			t.Errorf("%q becomes %q, %v", text, got.Name, err)
		}
	}
	if err := resolveTags(&budget{maxWork}, &corev1.EnvVar{Name: "{{bell}}"}, known); err == nil {
		t.Error("a value that is invalid in JSON is filled in")
	}
}
