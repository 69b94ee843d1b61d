package explain

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

func load(t testing.TB) *Catalogue {
	t.Helper()
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ids(explanations []Explanation) []string {
	var out []string
	for _, e := range explanations {
		out = append(out, e.ID)
	}
	return out
}

// texts returns the texts in testdata, by the ID of their failure.
func texts(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		id := filepath.Base(filepath.Dir(file))
		out[id] = append(out[id], strings.TrimRight(string(text), "\n"))
	}
	return out
}

// wrappings change a text in the ways in which it changes until somebody pastes it.
var wrappings = map[string]func(text string) string{
	"unchanged":                func(text string) string { return text },
	"in JSON":                  inJSON,
	"in JSON in JSON":          func(text string) string { return inJSON(inJSON(text)) },
	"in an exception":          inException,
	"in an older exception":    inOldException,
	"in an older one, cut off": func(text string) string { text = inOldException(text); return text[:len(text)*6/10] },
	"wrapped at 80":            func(text string) string { return wrapHard(text, 80) },
	"wrapped at 97":            func(text string) string { return wrapHard(text, 97) },
	"in a wrapped exception":   func(text string) string { return wrapHard(inException(text), 80) },
	"wrapped between words":    func(text string) string { return wrap(text, "", 72) },
	"in HTML":                  html.EscapeString,
	"in a log": func(text string) string {
		return "2026-11-24T03:12:45.123456789Z stderr F time=\"2026-11-24T03:12:45Z\" level=error msg=" + inJSON(text)
	},
	"with typographic quotes": strings.NewReplacer(` "`, " \u201c", `"`, "\u201d", ` '`, " \u2018", `'`, "\u2019").Replace,
	"in colour":               func(text string) string { return "\x1b[31;1m" + text + "\x1b[0m" },
}

func inJSON(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

func inException(text string) string {
	return fmt.Sprintf(`Traceback (most recent call last):
  File "run.py", line 6, in <module>
    raise ApiException(http_resp=r)
kfp_server_api.exceptions.ApiException: (500)
Reason: Internal Server Error
HTTP response headers: HTTPHeaderDict({'Content-Type': 'application/json', 'Content-Length': '546'})
HTTP response body: {"code":13, "message":%s, "details":[%s]}
`, inJSON(text), `{"@type":"type.googleapis.com/google.rpc.Status", "code":13, "message":"Internal Server Error"}`)
}

func inOldException(text string) string {
	text = inJSON(text)
	return fmt.Sprintf(`HTTP response body: {"error":%s,"code":13,"message":%s,"details":[{"@type":"type.googleapis.com/api.Error",`+
		`"error_message":"Internal Server Error","error_details":%s}]}`, text, text, text)
}

// wrapHard breaks lines in the middle of words, as a terminal does.
func wrapHard(text string, width int) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		for len(line) > width {
			out, line = append(out, line[:width]), line[width:]
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func TestTextsAreRecognized(t *testing.T) {
	c := load(t)
	for id, all := range texts(t) {
		for i, text := range all {
			for how, transform := range wrappings {
				if got := ids(c.Explain(transform(text))); !slices.Equal(got, []string{id}) {
					t.Errorf("%s, text %d, %s: %v", id, i, how, got)
				}
			}
		}
	}
}

// TestTruncatedTextsAreNotMisread truncates each text at each place. The rest is recognized as the same failure, as a symptom of it,
// or not at all.
func TestTruncatedTextsAreNotMisread(t *testing.T) {
	c := load(t)
	symptomOf := map[string][]string{}
	for f := range c.all {
		symptomOf[f.ID] = f.SymptomOf
	}
	for id, all := range texts(t) {
		for _, text := range all {
			for end := range text {
				for _, got := range ids(c.Explain(text[:end])) {
					if got != id && !slices.Contains(symptomOf[got], id) && !slices.Contains(symptomOf[got], anyFailure) {
						t.Errorf("%s is mistaken for %s: %s", id, got, text[:end])
					}
				}
			}
		}
	}
}

func TestCatalogueIsComplete(t *testing.T) {
	c, all := load(t), texts(t)
	rules := validators.RuleIDs()
	var explained []string
	for _, r := range c.Rules {
		explained = append(explained, r.ID)
	}
	if slices.Sort(explained); !slices.Equal(explained, rules) {
		t.Errorf("the catalogue has the rules %v, want %v", explained, rules)
	}
	for f := range c.all {
		for _, rule := range f.Rules {
			if !slices.Contains(rules, rule) {
				t.Errorf("%s: %s is not a rule", f.ID, rule)
			}
		}
		if len(all[f.ID]) == 0 {
			t.Errorf("%s has no text in testdata", f.ID)
		}
		delete(all, f.ID)
	}
	for id := range all {
		t.Errorf("testdata has texts for %s, which is not in the catalogue", id)
	}
	for _, f := range c.Failures {
		if got := ids(c.Explain(f.Example)); !slices.Equal(got, []string{f.ID}) {
			t.Errorf("the example of %s is recognized as %v", f.ID, got)
		}
	}
}

func TestCatalogueIsValidated(t *testing.T) {
	const entry = "- {id: a, title: t, texts: 'some text', meaning: m, check: [{say: c}], fix: [{say: f}]}"
	if _, err := parse([]byte("failures:\n" + entry)); err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"unknown field":             "failures:\n- {id: a, cause: b}",
		"a is listed twice":         "failures:\n" + entry + "\nrules:\n" + entry,
		"an entry needs":            "failures:\n" + strings.Replace(entry, "title: t, ", "", 1),
		"missing argument":          "failures:\n" + strings.Replace(entry, "some text", "some <thing>", 1),
		"matches everything":        "failures:\n" + strings.Replace(entry, "some text", "x?", 1),
		"a step has no text":        "failures:\n" + strings.Replace(entry, "say: f", "run: f", 1),
		"{user} is not allowed":     "failures:\n" + strings.Replace(entry, "say: f", "say: f, run: 'kill {user}'", 1),
		"there is no other failure": "failures:\n" + strings.Replace(entry, "title", "symptomOf: [a], title", 1),
		"context":                   "failures:\n" + entry + "\ncontext: '('",
		"unknown: ":                 "failures:\n" + entry + "\nunknown: [{say: u, run: '{x}'}]",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestKindsAreUsed(t *testing.T) {
	c := load(t)
	used := map[string]bool{}
	patterns := c.contextPatterns
	for f := range c.all {
		patterns = slices.Concat(patterns, f.patterns)
	}
	for _, pattern := range patterns {
		for _, name := range pattern.SubexpNames() {
			used[name] = true
		}
	}
	for _, k := range valueKinds {
		if !used[k.name] {
			t.Errorf("no pattern captures a %s", k.name)
		}
	}
}

// caseMessages returns the messages that the rules produce for their cases, by rule.
func caseMessages(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("../../testdata/*/*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no messages", err)
	}
	out := map[string][]string{}
	for _, file := range files {
		rule := filepath.Base(filepath.Dir(file))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for message := range strings.Lines(string(text)) {
			out[rule] = append(out[rule], strings.TrimRight(message, "\n"))
		}
	}
	return out
}

// TestMessagesOfRulesAreRecognized reads the messages that the rules produce for their cases, without a skip hint.
func TestMessagesOfRulesAreRecognized(t *testing.T) {
	c := load(t)
	for rule, messages := range caseMessages(t) {
		for _, message := range messages {
			for how, transform := range wrappings {
				if got := ids(c.Explain(transform(message))); !slices.Equal(got, []string{rule}) {
					t.Errorf("%s, %s: %v", message, how, got)
				}
			}
			if got := ids(c.Explain(message[:len(message)*6/10])); !slices.Equal(got, []string{rule}) {
				t.Errorf("%s, cut off: %v", message, got)
			}
		}
	}
}

func TestOtherTextsAreNotRecognized(t *testing.T) {
	c := load(t)
	for _, text := range []string{
		"",
		"kfp",
		"time=\"2026-11-24T03:12:45Z\" level=info msg=\"Pod of node running\" namespace=team-a workflow=example",
		"Successfully assigned team-a/example-2961350829 to node-1\nPulling image \"python:3.11\"\n" +
			"Successfully pulled image\nStarted container main",
		"NAME      READY   STATUS    RESTARTS   AGE\nexample   2/2     Running   0          3m",
		"example-2961350829   0/2   PodInitializing   0   3s\nexample-2961350830   0/2   ContainerCreating   0   3s",
		"the quota of the namespace is fine, and secret client-secrets was found",
		"resourcequota/kf-resource-quota created\nsecret/client-secrets created\nconfigmap \"defaults\" created",
		"KeyError: 'accuracy'",
		"ModuleNotFoundError: No module named 'sklearn'",
		"annotation kfp-preflight.dev/skip: workflow-secret-missing",
		"ResourceNotFoundError: Run 3afa380a-e9a4-4a6c-a10f-987295495561 not found",
		"User 'user@example.com' is authorized",
		"{\"when\": \"\\\"a\\\" == \\\"b\\\"\", \"message\": \"when expression evaluated to false\"}",
	} {
		if got := ids(c.Explain(text)); len(got) > 0 {
			t.Errorf("%q is recognized as %v", text, got)
		}
	}
}

func TestOrderAndCauses(t *testing.T) {
	c := load(t)
	const (
		secret = `CreateContainerConfigError: secret "client-secrets" not found`
		quota  = `pods "x" is forbidden: failed quota: kf-resource-quota: must specify cpu for: init,wait; memory for: init,wait`
		mount  = `MountVolume.SetUp failed for volume "v" : configmap "templates" not found`
	)
	for _, test := range []struct {
		name, text string
		want       []string
	}{
		{
			"each failure once, in the order of the text",
			quota + "\n" + secret + "\n" + quota,
			[]string{"quota-must-specify", "secret-missing"},
		},
		{
			"a symptom yields to its cause",
			"Unable to attach or mount volumes: unmounted volumes=[v]: timed out waiting for the condition\n" + mount,
			[]string{"config-map-missing"},
		},
		{"a wrapper yields to what it wraps", "Failed to create a new run: " + quota, []string{"quota-must-specify"}},
		{
			"of several wrappers, the innermost stays",
			`Failed to create a new run: admission webhook "other.example.com" denied the request: no`,
			[]string{"webhook-denied"},
		},
		{
			"a ServiceAccount that is not found is part of the failed lookup",
			`error looking up service account team-a/x: serviceaccount "x" not found`,
			[]string{"service-account-missing"},
		},
		{
			"the webhook of kfp-preflight has an entry of its own",
			`failed calling webhook "workflow.kfp-preflight.dev": context deadline exceeded`,
			[]string{"preflight-unreachable"},
		},
	} {
		if got := ids(c.Explain(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestValuesAndCommands(t *testing.T) {
	c := load(t)
	for _, test := range []struct {
		name, text string
		shows      []string
	}{
		{
			"names are filled in",
			`couldn't find key slack_token in Secret team-a/client-secrets`,
			[]string{
				"Secret: client-secrets\n", "key: slack_token\n", "kubectl -n team-a describe secret client-secrets\n",
				`patch secret client-secrets -p '{"stringData": {"slack_token": "VALUE"}}'`,
			},
		},
		{
			"names that a terminal has broken",
			wrapHard(`time="2026-11-24T03:12:45Z" level=error `+
				`couldn't find key slack_token in Secret team-a/client-secrets of this pod`, 80),
			[]string{"kubectl -n team-a describe secret client-secrets\n"},
		},
		{"a name in quotes is joined", "secret \"client-\nsecrets\" not found", []string{"get secret client-secrets\n"}},
		{
			"amounts",
			"pods \"p\" is forbidden: exceeded quota: q, requested: cpu=1,memory=1Gi, used: cpu=2,memory=0, limited: cpu=2,memory=4Gi\nnext",
			[]string{"requested: cpu=1,memory=1Gi\n", "used: cpu=2,memory=0\n", "limited to: cpu=2,memory=4Gi\n"},
		},
		{
			"a user who is not authorized",
			`User 'user@example.com' is not authorized with reason:  (request: \u0026ResourceAttributes{Namespace:team-a,Verb:list,` +
				`Group:pipelines.kubeflow.org,Version:v1beta1,Resource:experiments,`,
			[]string{"user: user@example.com\n", "can-i list experiments.pipelines.kubeflow.org -n team-a --as USER\n"},
		},
		{"a name ends with its line", "references non-existent secret key: tls.crt\nsecond line", []string{"key: tls.crt\n"}},
		{
			"the namespace comes from the context",
			`time="2026-11-24" namespace=team-a msg="pods \"p-1\" is forbidden: ` +
				`failed quota: q: must specify cpu for: init,wait; memory for: init"`,
			[]string{"namespace: team-a\n", "not set: cpu for: init,wait; memory for: init\n", "kubectl -n team-a get resourcequota q "},
		},
		{
			"an unknown value stays a placeholder",
			`secret "client-secrets" not found`, []string{"kubectl -n NAMESPACE get secret client-secrets\n"},
		},
		{
			"the context may be a URL",
			`Post "https://10.96.0.1:443/apis/argoproj.io/v1alpha1/namespaces/team-a/workflows": Failed to create a workflow for`,
			[]string{"kubectl -n team-a get events"},
		},
		{
			"of two values, none is chosen",
			`secret "a" not found, secret "b" not found`, []string{"Secret: a, b\n", "kubectl -n NAMESPACE get secret SECRET\n"},
		},
		{
			"an invalid name is not filled in",
			`User 'x' is not authorized with reason: (request: &ResourceAttributes{Namespace:team_a;id,Verb:list`,
			[]string{"get namespace NAMESPACE\n"},
		},
		{
			"a name that contains a command is not filled in",
			"secret \"$(reboot)\" not found\nsecret \"a;b\" not found\nFailedMount", []string{"describe pod POD\n"},
		},
		{
			"bytes are decoded",
			`Incorrect string value: '\\xEC\\x97\\xAC\\xEA\\xB8\\xB0\\xF0\\x9F...' ` +
				"for column `mlpipeline`.`run_details`.`DisplayName`",
			[]string{"characters: \uc5ec\uae30 (\\xEC\\x97\\xAC\\xEA\\xB8\\xB0\\xF0\\x9F)\n", "column: DisplayName\n"},
		},
	} {
		found := c.Explain(test.text)
		if len(found) != 1 {
			t.Errorf("%s: %v", test.name, ids(found))
			continue
		}
		for _, want := range test.shows {
			if got := found[0].Text(1000); !strings.Contains(got, want) {
				t.Errorf("%s: no %q in\n%s", test.name, want, got)
			}
		}
	}
}
