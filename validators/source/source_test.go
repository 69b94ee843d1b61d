package source

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func read(t *testing.T, text string) ([]Document, []error) {
	t.Helper()
	return Read(strings.NewReader(text), []string{"-"})
}

func TestRead(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string // the line and the JSON of each object
	}{
		"empty":                        {"", nil},
		"one document":                 {"a: 1\n", []string{`1 {"a":1}`}},
		"two documents":                {"a: 1\n---\nb: 2\n", []string{`1 {"a":1}`, `3 {"b":2}`}},
		"a separator first":            {"---\na: 1\n", []string{`2 {"a":1}`}},
		"separators with content":      {"a: 1\n--- # the second\nb: 2\n--- {c: 3}\n", []string{`1 {"a":1}`, `3 {"b":2}`, `4 {"c":3}`}},
		"comments and empty documents": {"# nothing\n---\n---\na: 1\n---\n# nothing more\n", []string{`4 {"a":1}`}},
		"a separator within a string":  {"a: |\n  ---\n  b\n", []string{`1 {"a":"---\nb\n"}`}},
		"Windows line endings":         {"a: 1\r\n---\r\nb: 2\r\n", []string{`1 {"a":1}`, `3 {"b":2}`}},
		"JSON":                         {"{\n\t\"a\": [1]\n}\n", []string{`1 {"a":[1]}`}},
		"a List":                       {"kind: List\nitems:\n- a: 1\n- a: 2\n", []string{`3 {"a":1}`, `4 {"a":2}`}},
		"a WorkflowList":               {"kind: WorkflowList\nitems: [{a: 1}]\n", []string{`2 {"a":1}`}},
		"a kind that ends with List, without items": {"kind: BlackList\n", []string{`1 {"kind":"BlackList"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			documents, errs := read(t, test.text)
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			var got []string
			for _, d := range documents {
				var object any
				if err := json.Unmarshal(d.JSON, &object); err != nil {
					t.Fatal(err)
				}
				plain, _ := json.Marshal(object)
				got = append(got, fmt.Sprintf("%d %s", d.PositionOf("").Line, plain))
			}
			if fmt.Sprint(got) != fmt.Sprint(test.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestReadContinuesAfterErrors(t *testing.T) {
	documents, errs := read(t, "a: 1\n---\nb: 2\n  c: 3\n---\nd: 4\n")
	if len(documents) != 2 || len(errs) != 1 {
		t.Fatalf("%d documents, errors %v", len(documents), errs)
	}
	if want := "standard input:4: invalid YAML: mapping values are not allowed in this context"; errs[0].Error() != want {
		t.Errorf("%v, want %s", errs[0], want)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "a: 1", "b.yml": "b: 2", "c.json": `{"c":3}`, "notes.txt": "a: b: c", "broken.yaml": "\ta: 1",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	documents, errs = Read(nil, []string{dir, filepath.Join(dir, "nowhere")})
	if len(documents) != 3 || len(errs) != 2 || !strings.HasSuffix(errs[1].Error(), "nowhere: no such file or directory") {
		t.Errorf("%d documents, errors %v", len(documents), errs)
	}
}

func TestPositionOf(t *testing.T) {
	documents, errs := read(t, `# a comment
---
base: &base
  image: busybox
spec:
  list:
    - name: one
      <<: *base
    - {name: two, deep: {er: x}}
  "quoted.key": 한글
  again: *base
`)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for field, want := range map[string]string{
		"spec":                           "5:1",
		"spec.list[0]":                   "7:7",
		"spec.list[0].name":              "7:13",
		"spec.list[0].image":             "4:10",
		"spec.list[1].deep":              "9:19",
		"spec.list[1].deep.er":           "9:30",
		"spec.list[1].deep.er.more":      "9:30",
		"spec.list[7].name":              "6:3",
		"spec[quoted.key]":               "10:17",
		"spec.again.image":               "4:10",
		"spec.nothing.of[this][0].there": "5:1",
		"":                               "3:1",
	} {
		if at := documents[0].PositionOf(field); fmt.Sprintf("%d:%d", at.Line, at.Column) != want {
			t.Errorf("%q is found at %d:%d (%s), want %s", field, at.Line, at.Column, at.Text, want)
		}
	}
}

// TestPositionOfEveryValue compares the position of each string in the cases with the text at that position.
func TestPositionOfEveryValue(t *testing.T) {
	documents, errs := Read(nil, []string{"../../testdata"})
	if len(errs) > 0 || len(documents) == 0 {
		t.Fatal(errs)
	}
	found := 0
	for _, d := range documents {
		var object any
		if err := json.Unmarshal(d.JSON, &object); err != nil {
			t.Fatal(err)
		}
		visitStrings(object, "", func(field, value string) {
			at := d.PositionOf(field)
			rest := string([]rune(at.Text)[at.Column-1:])
			if !strings.HasPrefix(strings.Trim(rest, `"'`), value) && !strings.ContainsAny(rest[:1], `|>&*"'`) {
				t.Errorf("%s: %s is found at %d:%d: %s", d, field, at.Line, at.Column, rest)
			}
			found++
		})
	}
	t.Logf("%d values", found)
}

// visitStrings visits the short strings in an object.
func visitStrings(v any, field string, visit func(field, value string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			visitStrings(child, fmt.Sprintf("%s[%s]", field, key), visit)
		}
	case []any:
		for i, child := range v {
			visitStrings(child, fmt.Sprintf("%s[%d]", field, i), visit)
		}
	case string:
		if len(v) > 0 && len(v) < 20 {
			visit(field, v)
		}
	}
}
