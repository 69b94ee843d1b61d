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

var update = flag.Bool("update", false, "write the findings of the cases to the .txt files in testdata")

// TestCases judges every case in testdata: <kind>/<rule>/{deny,warn,allow}-<case>.yaml. The last Profile or Workflow of a file is judged.
// A Profile before it is its old state; everything else is in the cluster. The expected findings are in a .txt file beside the case.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("../testdata/*/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	verdicts := map[string]sets.Set[string]{}
	for _, file := range files {
		rule := filepath.Base(filepath.Dir(file))
		verdict, name, ok := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yaml"), "-")
		if !ok || !slices.Contains([]string{"deny", "warn", "allow"}, verdict) {
			t.Errorf("%s: the name of a case is deny-, warn- or allow-<case>.yaml", file)
			continue
		}
		if verdicts[rule] == nil {
			verdicts[rule] = sets.New[string]()
		}
		verdicts[rule].Insert(verdict)
		t.Run(rule+"/"+verdict+"/"+name, func(t *testing.T) {
			findings := judgeCase(t, readCase(t, file))
			worst := "allow"
			var messages strings.Builder
			for _, f := range findings {
				if f.Rule != rule {
					t.Errorf("rule %s has a finding, too: %s", f.Rule, f.Message())
				}
				m := f.Message()
				if strings.ContainsAny(m, "\"&<>\\\n") {
					t.Errorf("the message has characters that break clients: %q", m)
				}
				if strings.Contains(m, "exceeded quota") || strings.Contains(m, "metadata.name") {
					t.Errorf("the message has words that Argo or KFP react to: %q", m)
				}
				messages.WriteString(f.Field + ": " + m + "\n")
				switch {
				case f.Certainty == Certain:
					worst = "deny"
				case worst == "allow":
					worst = "warn"
				}
			}
			if worst != verdict {
				t.Errorf("verdict %s, want %s:\n%s", worst, verdict, messages.String())
			}
			compareGolden(t, strings.TrimSuffix(file, ".yaml")+".txt", messages.String())
		})
	}
	golden, err := filepath.Glob("../testdata/*/*/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range golden {
		if !slices.Contains(files, strings.TrimSuffix(file, ".txt")+".yaml") {
			t.Errorf("%s belongs to no case", file)
		}
	}
	for _, rule := range RuleIDs() {
		if missing := sets.New("deny", "warn", "allow").Difference(verdicts[rule]); missing.Len() > 0 {
			t.Errorf("rule %s has no cases for %v", rule, sets.List(missing))
		}
		delete(verdicts, rule)
	}
	for rule := range verdicts {
		t.Errorf("testdata has cases for %s, which is not a rule", rule)
	}
}

// compareGolden compares the findings of a case with its .txt file, or writes the file with -update. Without findings there is no file.
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
		t.Errorf("the findings are\n%s\nwant (%s; -update writes it)\n%s", got, file, want)
	}
}

// testCase is the content of a case file: the object to judge and the cluster.
type testCase struct {
	profile, oldProfile *Profile
	workflow            *wfv1.Workflow
	facts               State
}

// judgeCase judges a case with all rules that its object does not skip.
func judgeCase(t *testing.T, c testCase) []Finding {
	t.Helper()
	notSkipped := func(object metav1.Object) func(string) bool {
		skipped, unknown := Skipped(object.GetAnnotations())
		if len(unknown) > 0 {
			t.Errorf("the skip annotation has %v, which are not rules", unknown)
		}
		return func(rule string) bool { return !slices.Contains(skipped, rule) }
	}
	if c.profile != nil {
		return JudgeProfile(ProfileChange{New: c.profile, Old: c.oldProfile}, &c.facts, notSkipped(c.profile))
	}
	return JudgeWorkflow(c.workflow, &c.facts, Options{}, notSkipped(c.workflow))
}

// readCase reads a case file.
func readCase(t *testing.T, file string) testCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(text, []byte("# ")) {
		t.Errorf("the first line must be a comment that says what the case shows")
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
		t.Fatal("a case must have either a Profile or a Workflow")
	}
	return c
}

func decode(t *testing.T, document []byte, into any) {
	t.Helper()
	if err := sigsyaml.Unmarshal(document, into); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
}

// TestReadmeQuotesCases checks that the README quotes the messages of two cases as they are.
func TestReadmeQuotesCases(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{
		"profile/profile-quota-compute/deny-cpu-and-memory.txt", "workflow/workflow-secret-missing/deny-secret-absent.txt",
	} {
		message, err := os.ReadFile("../testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(readme, bytes.TrimSpace(message)) {
			t.Errorf("the README does not quote %s", file)
		}
	}
}
