package validators

import (
	"bufio"
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/validators/forecast"
)

var update = flag.Bool("update", false, "write what the rules say beside the cases in testdata")

// TestCases judges every case in testdata: <kind>/<rule>/{deny,warn,allow}-<case>.yaml. The last Profile or Workflow of a
// file is judged, one before it of the same name is its old state, everything else is what the cluster has. What the rule
// says stands beside the case in a .txt file.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("../testdata/*/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	seen := map[string]sets.Set[string]{}
	for _, file := range files {
		rule := filepath.Base(filepath.Dir(file))
		verdict, name, ok := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yaml"), "-")
		if !ok || !slices.Contains([]string{"deny", "warn", "allow"}, verdict) {
			t.Errorf("%s: the name of a case is deny-, warn- or allow-<case>.yaml", file)
			continue
		}
		if seen[rule] == nil {
			seen[rule] = sets.New[string]()
		}
		seen[rule].Insert(verdict)
		t.Run(rule+"/"+verdict+"/"+name, func(t *testing.T) {
			findings := judgeCase(t, readCase(t, file))
			worst := "allow"
			var said strings.Builder
			for _, f := range findings {
				if f.Rule != rule {
					t.Errorf("rule %s also has something to say: %s", f.Rule, f.Message())
				}
				if m := f.Message(); strings.ContainsAny(m, "\"&<>\\\n") || strings.Contains(m, "exceeded quota") || strings.Contains(m, "metadata.name") {
					t.Errorf("the message does not survive the way to the user: %q", m)
				}
				said.WriteString(f.Field + ": " + f.Message() + "\n")
				switch {
				case f.Certainty == Certain:
					worst = "deny"
				case worst == "allow":
					worst = "warn"
				}
			}
			if worst != verdict {
				t.Errorf("verdict %s, want %s:\n%s", worst, verdict, said.String())
			}
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".txt", said.String())
		})
	}
	said, err := filepath.Glob("../testdata/*/*/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range said {
		if !slices.Contains(files, strings.TrimSuffix(file, ".txt")+".yaml") {
			t.Errorf("%s belongs to no case", file)
		}
	}
	for _, rule := range RuleIDs() {
		if missing := sets.New("deny", "warn", "allow").Difference(seen[rule]); missing.Len() > 0 {
			t.Errorf("rule %s has no case for %v", rule, sets.List(missing))
		}
		delete(seen, rule)
	}
	for rule := range seen {
		t.Errorf("testdata has cases for %s, which is no rule", rule)
	}
}

func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if got == "" {
			_ = os.Remove(file)
		} else if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the rule says\n%s\nwant (%s; -update writes it)\n%s", got, file, want)
	}
}

// TestRulesHavePages holds the docs to the table of rules.
func TestRulesHavePages(t *testing.T) {
	pages, err := filepath.Glob("../docs/rules/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, page := range pages {
		ids = append(ids, strings.TrimSuffix(filepath.Base(page), ".md"))
	}
	if !slices.Equal(ids, RuleIDs()) {
		t.Errorf("docs/rules has pages for %v, the rules are %v", ids, RuleIDs())
	}
}

// testCase is a case file: the object under judgement and the facts.
type testCase struct {
	profile, oldProfile *Profile
	workflow            *wfv1.Workflow
	facts               State
}

func judgeCase(t *testing.T, c testCase) []Finding {
	t.Helper()
	on := func(object metav1.Object) func(string) bool {
		skipped, unknown := Skipped(object.GetAnnotations())
		if len(unknown) > 0 {
			t.Errorf("the annotation names %v, which are no rules", unknown)
		}
		return func(rule string) bool { return !slices.Contains(skipped, rule) }
	}
	if c.profile != nil {
		return JudgeProfile(ProfileChange{New: c.profile, Old: c.oldProfile}, &c.facts, on(c.profile))
	}
	return JudgeWorkflow(c.workflow, &c.facts, Options{}, on(c.workflow))
}

func readCase(t *testing.T, file string) testCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("# ")) {
		t.Errorf("the first line of a case is a comment that says why")
	}
	c := testCase{facts: State{Complete: true}}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if err == io.EOF {
			break
		}
		var meta metav1.PartialObjectMetadata
		decode(t, document, &meta)
		switch meta.Kind {
		case "Profile":
			c.oldProfile, c.profile = c.profile, &Profile{}
			decode(t, document, c.profile)
		case "Workflow":
			if c.workflow, err = forecast.DecodeYAML[wfv1.Workflow](document); err != nil {
				t.Fatal(err)
			}
		default:
			if err := c.facts.Add(document, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	if (c.profile == nil) == (c.workflow == nil) {
		t.Fatal("a case has a Profile or a Workflow")
	}
	return c
}

func decode(t *testing.T, document []byte, into any) {
	t.Helper()
	if err := sigsyaml.Unmarshal(document, into); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
}

// TestReadmeQuotesCases holds the README to what the rules really say.
func TestReadmeQuotesCases(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"profile/profile-quota-compute/deny-cpu-and-memory.txt", "workflow/workflow-secret-missing/deny-secret-absent.txt"} {
		said, err := os.ReadFile("../testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(readme, bytes.TrimSpace(said)) {
			t.Errorf("the README does not quote %s", file)
		}
	}
}
