package webhook

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/kfp-preflight/kfp-preflight/validators"
	"github.com/kfp-preflight/kfp-preflight/webhook/lookup/lookuptest"
)

// ours are the metrics that the webhook really has.
func ours(t *testing.T) queries {
	t.Helper()
	of, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	about, err := newServerMetrics(prometheus.NewRegistry(), "v1", &anyCertificate{})
	if err != nil {
		t.Fatal(err)
	}
	values := labelValues(t)
	description := regexp.MustCompile(`fqName: "(\w+)", help: ".*", constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)
	out := queries{}
	for _, collector := range append(of.all(), about.all()...) {
		descriptions := make(chan *prometheus.Desc, 1)
		collector.Describe(descriptions)
		m := description.FindStringSubmatch((<-descriptions).String())
		if m == nil {
			t.Fatal("a metric can't be described")
		}
		name := m[1]
		with := metricLabels{}
		for _, constant := range strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' }) {
			label, _, _ := strings.Cut(constant, "=")
			with[label] = nil
		}
		for _, label := range strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' }) {
			with[label] = values[label]
			if own := values[label+" of "+name]; own != nil {
				with[label] = own
			}
			if with[label] == nil {
				t.Errorf("label %s of %s may have any value", label, name)
			}
		}
		if _, ok := collector.(*prometheus.HistogramVec); ok {
			name += " histogram"
		}
		out[name] = with
	}
	return out
}

// labelValues are the values of the labels, as the code has them.
func labelValues(t *testing.T) map[string]sets.Set[string] {
	t.Helper()
	out := map[string]sets.Set[string]{
		"kind":      sets.New(profiles.name, workflows.name),
		"operation": sets.New("other"),
		"decision":  sets.New("allow", "deny"),
		"passed":    constants(t, "pass").Insert(""),
		"dry_run":   sets.New("true", "false"),
		"rule":      sets.New(validators.RuleIDs()...),
		"certainty": sets.New(validators.Unknown.String(), validators.Possible.String(), validators.Certain.String()),
		"effect":    sets.New[string](),
		"resource":  lookedUp(t),
		"result":    sets.New("applied", "refused"),

		"result of kfp_preflight_dry_runs_total": constants(t, "dryRun"),

		"reason of kfp_preflight_lookup_errors_total": literals(t, "lookupError", 0),
		"reason of kfp_preflight_bad_requests_total":  literals(t, "badRequest", 1).Union(constants(t, "bad")),
	}
	for _, k := range []kind{profiles, workflows} {
		for _, operation := range k.operations {
			out["operation"].Insert(string(operation))
		}
	}
	for _, mode := range validators.AllModes {
		if mode != validators.Off {
			out["effect"].Insert(string(mode))
		}
	}
	return out
}

// lookedUp asks for everything that facts can be asked for, and returns what was counted.
func lookedUp(t *testing.T) sets.Set[string] {
	t.Helper()
	b := newBench(t, profiles, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/apis" {
			fmt.Fprint(w, `{"apiVersion":"v1","kind":"APIGroupList","groups":[{"name":"bitnami.com","preferredVersion":{"version":"v1alpha1"}}]}`)
			return
		}
		lookuptest.NotFound(w)
	})
	session := b.lookups.NewSession(t.Context())
	facts := session.Facts()
	_, _ = facts.NamespaceIsNew("a")
	_, _ = facts.SecretSources("a")
	session.Confirm("a", []validators.Finding{{Pod: &corev1.Pod{}}}, func(validators.Finding) bool { return true })
	_, _ = facts.ControllerConfig("")
	_, _ = facts.WorkflowTemplate("a", "a")
	_, _ = facts.ClusterWorkflowTemplate("a")
	_, _ = facts.ConfigMap("a", "a")
	_, _ = facts.ServiceAccount("a", "a")
	_, _ = facts.LimitRanges("a")
	_, _ = facts.ResourceQuotas("a")
	_, _ = facts.PriorityClasses()
	_, _ = facts.ServerVersion()
	for _, kind := range []string{
		validators.Secret, validators.ConfigMap, validators.ServiceAccount, validators.PersistentVolumeClaim, validators.PriorityClass,
	} {
		facts.CheckObjects("a", []validators.ObjectQuery{{ObjectRef: validators.ObjectRef{Kind: kind, Name: "a"}}})
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(b.metrics.lookups.Collectors()[0])
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := sets.New[string]()
	for _, series := range families[0].GetMetric() {
		out.Insert(series.GetLabel()[0].GetValue())
	}
	return out
}

// constants are the values of the string constants of this package whose names begin so.
func constants(t *testing.T, prefix string) sets.Set[string] {
	t.Helper()
	out := sets.New[string]()
	source(t, func(node ast.Node) {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 || !regexp.MustCompile("^"+prefix+"[A-Z]").MatchString(spec.Names[0].Name) {
			return
		}
		if text, ok := spec.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
			value, _ := strconv.Unquote(text.Value)
			out.Insert(value)
		}
	})
	return out
}

// literals are the strings that stand at a place in the literals of a type.
func literals(t *testing.T, name string, at int) sets.Set[string] {
	t.Helper()
	out := sets.New[string]()
	source(t, func(node ast.Node) {
		literal, ok := node.(*ast.CompositeLit)
		if !ok || len(literal.Elts) <= at {
			return
		}
		if named, ok := literal.Type.(*ast.Ident); !ok || named.Name != name {
			return
		}
		if text, ok := literal.Elts[at].(*ast.BasicLit); ok {
			value, _ := strconv.Unquote(text.Value)
			out.Insert(value)
		}
	})
	return out
}

// source walks through the code of this package and of lookup.
func source(t *testing.T, see func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	ofLookups, err := filepath.Glob("lookup/*.go")
	if err != nil || len(ofLookups) == 0 {
		t.Fatal(err)
	}
	for _, file := range append(files, ofLookups...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			see(node)
			return true
		})
	}
}
