package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/kfp-preflight/kfp-preflight/hack/cluster"
	"github.com/kfp-preflight/kfp-preflight/validators"
)

// TestCases runs every case of testdata through the API server. It creates the objects that the cluster contains, then the
// object under test, and compares the answer with the verdict in the file name and the messages in the .txt file.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("../../testdata/*/*/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	ensureNamespace(t, "secret-sources")
	createSecretSourceKinds(t)
	allowSecretSources(t, "secret-sources")
	for i, file := range files {
		verdict, _, _ := strings.Cut(filepath.Base(file), "-")
		t.Run(filepath.Base(filepath.Dir(file))+"/"+filepath.Base(file), func(t *testing.T) {
			// Each case gets namespaces, and thus Profiles, of its own.
			rename := strings.NewReplacer("team-a", fmt.Sprintf("case-%d", i), "team-b", fmt.Sprintf("case-%d-other", i))
			if verdict == "deny" && (validators.Policy{}).Mode(filepath.Base(filepath.Dir(file))) == validators.Warn {
				verdict = "warn"
			}
			want := strings.TrimSpace(rename.Replace(readOptional(t, strings.TrimSuffix(file, ".yaml")+".txt")))
			runCase(t, verdict, rename.Replace(read(t, file)), want)
		})
	}
	t.Run("no Secret is leaked", func(t *testing.T) {
		families, err := env.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for source, text := range map[string]string{"answers": answers.String(), "log lines": env.log.String(), "metrics": fmt.Sprint(families)} {
			for _, secret := range []string{"not-for-logs", "bm90LWZvci1sb2dz", unmentionedSecret} {
				if strings.Contains(text, secret) {
					t.Errorf("%s contain %q", source, secret)
				}
			}
		}
		if text := fmt.Sprint(families); strings.Contains(text, "client-secrets") || strings.Contains(text, "case-1") {
			t.Error("a metric contains the name of a Secret or of a namespace")
		}
	})
}

// unmentionedSecret is the name of a Secret in every namespace and of a key in every Secret. No case mentions it, so no output
// may either.
const unmentionedSecret = "unmentioned"

// answers collects all errors and warnings that clients received.
var answers strings.Builder

// runCase runs one case: the last document of text is the object under test, and want are the expected messages.
func runCase(t *testing.T, verdict, text, want string) {
	documents, err := cluster.Documents([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	u := newUser(t)
	last := len(documents) - 1
	for _, document := range documents[:last] {
		state := decode(t, document)
		switch {
		case state.GetNamespace() == "kubeflow":
			data, _, _ := unstructured.NestedStringMap(state.Object, "data")
			if err := setControllerConfig(t.Context(), data); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := setControllerConfig(context.Background(), nil); err != nil {
					t.Error(err)
				}
			})
			continue
		case state.GetKind() == "Profile":
			// The state before an update. It may be bad, so it skips the rules.
			state.SetAnnotations(map[string]string{validators.SkipAnnotation: strings.Join(validators.RuleIDs(), ",")})
		case state.GetKind() == validators.PriorityClass:
			t.Cleanup(func() {
				if err := env.admin.Delete(context.Background(), state); err != nil {
					t.Error(err)
				}
				time.Sleep(2 * cacheTTL)
			})
		default:
			ensureNamespace(t, state.GetNamespace())
		}
		if state.GetKind() == "Secret" {
			if err := unstructured.SetNestedField(state.Object, "not-for-logs", "stringData", unmentionedSecret); err != nil {
				t.Fatal(err)
			}
		}
		enforced := enforcedHard(state)
		if err := u.Create(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		if enforced != nil {
			state.Object["status"] = map[string]any{"hard": enforced}
			if err := env.admin.Status().Update(t.Context(), state); err != nil {
				t.Fatal(err)
			}
		}
	}
	subject := decode(t, documents[last])
	if subject.GetNamespace() != "" {
		ensureNamespace(t, subject.GetNamespace())
		unrelated := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: subject.GetNamespace(), Name: unmentionedSecret},
			StringData: map[string]string{unmentionedSecret: "not-for-logs"},
		}
		if err := env.admin.Create(t.Context(), unrelated); err != nil {
			t.Fatal(err)
		}
	}
	updated, err := dryRunWrite(t, u, subject)
	if !updated {
		compareWithCheck(t, subject, err, u.warnings.all())
	}
	fmt.Fprintln(&answers, err, u.warnings.all())
	switch verdict {
	case "deny":
		checkDenial(t, err, subject, want)
	case "warn":
		if err != nil {
			t.Fatalf("denied: %v", err)
		}
		warnings, hint := cutSkipHint(u.warnings.all())
		if want := withoutFieldPaths(want); !slices.Equal(warnings, want) {
			t.Errorf("warnings\n%s\nwant\n%s", strings.Join(warnings, "\n"), strings.Join(want, "\n"))
		}
		if rules := ruleIDs(warnings); hint != "" && hint != validators.SkipHint(rules) {
			t.Errorf("the skip hint is %q, want one for %v", hint, rules)
		}
	case "allow":
		if err != nil || len(u.warnings.all()) > 0 {
			t.Errorf("error %v, warnings %v", err, u.warnings.all())
		}
	}
}

// enforcedHard returns the status.hard that the quota controller would have written into a ResourceQuota: that of the case or,
// by default, spec.hard. It returns nil for other objects.
func enforcedHard(o *unstructured.Unstructured) map[string]any {
	if o.GetKind() != "ResourceQuota" {
		return nil
	}
	hard, ok, _ := unstructured.NestedMap(o.Object, "status", "hard")
	if !ok {
		hard, _, _ = unstructured.NestedMap(o.Object, "spec", "hard")
	}
	return hard
}

// dryRunWrite creates the object, or updates it if it exists, as a dry run, so that cases don't affect each other.
func dryRunWrite(t *testing.T, u user, o *unstructured.Unstructured) (updated bool, err error) {
	t.Helper()
	existing := o.DeepCopy()
	if err := u.Get(t.Context(), client.ObjectKeyFromObject(o), existing); err == nil {
		o.SetResourceVersion(existing.GetResourceVersion())
		return true, u.Update(t.Context(), o, client.DryRunAll)
	}
	return false, u.Create(t.Context(), o, client.DryRunAll)
}

// checkDenial checks that a denial has the form that clients depend on: 422 Invalid, a cause per finding, and a message of one
// line. want are the causes, as FIELD: MESSAGE, without the skip hint. The last cause and the message end with the hint.
func checkDenial(t *testing.T, err error, o *unstructured.Unstructured, want string) {
	t.Helper()
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		t.Fatalf("not denied: %v", err)
	}
	s := status.Status()
	if s.Code != 422 || s.Reason != metav1.StatusReasonInvalid {
		t.Errorf("code %d, reason %s, want 422 Invalid", s.Code, s.Reason)
	}
	if s.Details == nil || s.Details.Kind != o.GetKind() || s.Details.Name != o.GetName() || s.Details.RetryAfterSeconds != 0 {
		t.Errorf("details %+v", s.Details)
	}
	var causes []string
	for _, c := range s.Details.Causes {
		causes = append(causes, c.Field+": "+c.Message)
	}
	causes, hint := cutSkipHint(causes)
	if got := strings.Join(causes, "\n"); got != want {
		t.Errorf("causes\n%s\nwant\n%s", got, want)
	}
	messages := withoutFieldPaths(want)
	if want := validators.SkipHint(ruleIDs(messages)); hint != want {
		t.Errorf("the skip hint is %q, want %q", hint, want)
	}
	_, message, _ := strings.Cut(s.Message, "denied the request: ")
	if message != strings.Join(messages, " | ")+" "+hint || strings.ContainsAny(message, "\n\"<>&") {
		t.Errorf("message %s", message)
	}
}

// withoutFieldPaths removes the field path at the start of each line of a .txt file.
func withoutFieldPaths(text string) []string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		_, lines[i], _ = strings.Cut(lines[i], ": ")
	}
	return lines
}

// cutSkipHint returns the messages without the skip hint at the end of the last one, and the hint, which is empty if there is none.
func cutSkipHint(messages []string) (withoutHint []string, hint string) {
	if len(messages) == 0 {
		return nil, ""
	}
	withoutHint = slices.Clone(messages)
	last := &withoutHint[len(withoutHint)-1]
	if at := strings.LastIndex(*last, " "+validators.SkipHint(nil)); at >= 0 {
		*last, hint = (*last)[:at], (*last)[at+1:]
	}
	return withoutHint, hint
}

// ruleIDs returns the ID of each rule in messages, which begin with it, without duplicates.
func ruleIDs(messages []string) []string {
	var ids []string
	for _, message := range messages {
		if id, _, _ := strings.Cut(message, ": "); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func decode(t *testing.T, document []byte) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &o.Object); err != nil {
		t.Fatalf("%v\n%s", err, document)
	}
	return o
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readOptional(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(text)
}
