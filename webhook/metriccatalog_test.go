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

// ownMetrics lists the metrics that the webhook registers.
func ownMetrics(t *testing.T) metricCatalog {
	t.Helper()
	reviewMetrics, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	serverMetrics, err := newServerMetrics(prometheus.NewRegistry(), "v1", &fixedCertificate{})
	if err != nil {
		t.Fatal(err)
	}
	values := labelValues(t)
	description := regexp.MustCompile(`fqName: "(\w+)", help: ".*", constLabels: \{([^}]*)\}, variableLabels: \{([^}]*)\}`)
	out := metricCatalog{}
	for _, collector := range append(reviewMetrics.all(), serverMetrics.all()...) {
		descriptions := make(chan *prometheus.Desc, 1)
		collector.Describe(descriptions)
		m := description.FindStringSubmatch((<-descriptions).String())
		if m == nil {
			t.Fatal("the description of a metric can't be parsed")
		}
		name := m[1]
		labels := metricLabels{}
		for _, constant := range strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' }) {
			label, _, _ := strings.Cut(constant, "=")
			labels[label] = nil
		}
		for _, label := range strings.FieldsFunc(m[3], func(r rune) bool { return r == ',' }) {
			labels[label] = values[label]
			if own := values[label+" of "+name]; own != nil {
				labels[label] = own
			}
			if labels[label] == nil {
				t.Errorf("the values of label %s of %s are not listed in labelValues", label, name)
			}
		}
		if _, ok := collector.(*prometheus.HistogramVec); ok {
			name += " histogram"
		}
		out[name] = labels
	}
	return out
}

// labelValues returns the possible values of each label, taken from the code. Where metrics differ, the key is "LABEL of METRIC".
func labelValues(t *testing.T) map[string]sets.Set[string] {
	t.Helper()
	out := map[string]sets.Set[string]{
		"kind":      sets.New(profiles.name, workflows.name),
		"operation": sets.New("other"),
		"decision":  sets.New("allow", "deny"),
		"passed":    stringConstants(t, "pass").Insert(""),
		"dry_run":   sets.New("true", "false"),
		"rule":      sets.New(validators.RuleIDs()...),
		"certainty": sets.New(validators.Unknown.String(), validators.Possible.String(), validators.Certain.String()),
		"effect":    sets.New[string](),
		"resource":  resourceLabels(t),
		"result":    sets.New("applied", "refused"),

		"result of kfp_preflight_dry_runs_total": stringConstants(t, "dryRun"),

		"reason of kfp_preflight_lookup_errors_total": literalStrings(t, "lookupError", 0),
		"reason of kfp_preflight_bad_requests_total":  literalStrings(t, "badRequest", 1).Union(stringConstants(t, "bad")),
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

// resourceLabels performs each kind of lookup and returns the resource labels that the metrics have after that.
func resourceLabels(t *testing.T) sets.Set[string] {
	t.Helper()
	const groups = `{"apiVersion":"v1","kind":"APIGroupList",
		"groups":[{"name":"bitnami.com","preferredVersion":{"version":"v1alpha1"}}]}`
	h := newTestHandler(t, profiles, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/apis" {
			fmt.Fprint(w, groups)
			return
		}
		lookuptest.NotFound(w)
	})
	session := h.lookups.NewSession(t.Context())
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
	registry.MustRegister(h.metrics.lookups.Collectors()[0])
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

// stringConstants returns the values of string constants whose names are the prefix and an upper-case letter.
func stringConstants(t *testing.T, prefix string) sets.Set[string] {
	t.Helper()
	out := sets.New[string]()
	inspectSource(t, func(node ast.Node) {
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

// literalStrings returns the strings at an index in the composite literals of a type.
func literalStrings(t *testing.T, name string, index int) sets.Set[string] {
	t.Helper()
	out := sets.New[string]()
	inspectSource(t, func(node ast.Node) {
		literal, ok := node.(*ast.CompositeLit)
		if !ok || len(literal.Elts) <= index {
			return
		}
		if named, ok := literal.Type.(*ast.Ident); !ok || named.Name != name {
			return
		}
		if text, ok := literal.Elts[index].(*ast.BasicLit); ok {
			value, _ := strconv.Unquote(text.Value)
			out.Insert(value)
		}
	})
	return out
}

// inspectSource visits all nodes of this package and of package lookup, without tests.
func inspectSource(t *testing.T, visit func(ast.Node)) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	lookupFiles, err := filepath.Glob("lookup/*.go")
	if err != nil || len(lookupFiles) == 0 {
		t.Fatal(err)
	}
	for _, file := range append(files, lookupFiles...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(node ast.Node) bool {
			visit(node)
			return true
		})
	}
}
