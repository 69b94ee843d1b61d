package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"
)

const monitoringDir = "../manifests/components/monitoring/"

// externalMetrics are the metrics of others that the alerts and the dashboard ask for, with those of their labels that matter.
var externalMetrics = metricCatalog{
	// k8s.io/apiserver pkg/admission/metrics/metrics.go v0.37.2
	"apiserver_admission_webhook_fail_open_count":                      {"name": nil, "type": nil},
	"apiserver_admission_webhook_rejection_count":                      {"name": nil, "type": nil, "operation": nil, "error_type": sets.New("no_error", "calling_webhook_error", "apiserver_internal_error"), "rejection_code": nil},
	"apiserver_admission_webhook_admission_duration_seconds histogram": {"name": nil, "type": nil, "operation": nil, "rejected": nil},
	// kubernetes/kube-state-metrics docs/metrics/workload/deployment-metrics.md
	"kube_deployment_status_replicas_available": {"namespace": sets.New("kfp-preflight"), "deployment": sets.New("kfp-preflight")},
	// github.com/prometheus/client_golang prometheus/collectors
	"process_resident_memory_bytes": {},
	"process_cpu_seconds_total":     {},
	"go_goroutines":                 {},
}

// alert is what an alert has in the shipped rules.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func shippedAlerts(t *testing.T) []alert {
	t.Helper()
	var rules struct {
		APIVersion, Kind string
		Metadata         map[string]any
		Spec             struct {
			Groups []struct {
				Name  string
				Rules []alert
			}
		}
	}
	if err := yaml.UnmarshalStrict([]byte(readFile(t, monitoringDir+"rules.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	var out []alert
	for _, group := range rules.Spec.Groups {
		out = append(out, group.Rules...)
	}
	return out
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAlertQueries compares what the alerts ask for with the metrics that there are.
func TestAlertQueries(t *testing.T) {
	known := ownMetrics(t)
	maps.Copy(known, externalMetrics)
	mentioned := regexp.MustCompile(`\{\{[^}]*\$labels\.(\w+)`)
	for _, a := range shippedAlerts(t) {
		with, err := known.checkQuery(a.Expr)
		if err != nil {
			t.Errorf("%s: %v", a.Alert, err)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) || a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s does not say how bad it is, or what to do: %v %v", a.Alert, a.Labels, a.Annotations)
		}
		for _, m := range mentioned.FindAllStringSubmatch(a.Annotations["summary"]+a.Annotations["description"], -1) {
			if !with.Has(m[1]) {
				t.Errorf("%s tells of the label %s, and has %v", a.Alert, m[1], sets.List(with))
			}
		}
	}
}

// TestAlertCountersStartAtZero lets everything happen that an alert looks for an increase of. A series that only comes into being by it would have
// none.
func TestAlertCountersStartAtZero(t *testing.T) {
	for _, k := range []kind{profiles, workflows} {
		t.Run(k.name, func(t *testing.T) {
			b := newTestHandler(t, k, nil)
			b.metrics.initialize(k)
			began := b.series(t, "kfp_preflight_reviews_total")
			for _, passed := range []string{passKind, passBusy, passUnreadable, passPanic} {
				if !regexp.MustCompile(`passed="` + passed + `"`).MatchString(strings.Join(began, "\n")) {
					t.Errorf("%s does not begin at zero", passed)
				}
			}
			for _, body := range []string{
				reviewJSON(t, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"a"}}`),
				`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"uid","object":{"a":"` + strings.Repeat("x", maxBody) + `"}}}`,
				strings.Replace(reviewJSON(t, `{"apiVersion":"`+k.group+`/v1","kind":"`+k.name+`","metadata":{"name":"a","namespace":"a"}}`), `"object":{`, `"dryRun":true,"object":{"spec":7,`, 1),
			} {
				if _, answer := b.post(t, body); answer == nil || len(answer.Warnings) == 0 {
					t.Errorf("not let through unchecked: %.200s", body)
				}
			}
			if after := b.series(t, "kfp_preflight_reviews_total"); !slices.Equal(began, after) {
				t.Errorf("began with\n%s\nbecame\n%s", strings.Join(began, "\n"), strings.Join(after, "\n"))
			}
		})
	}
}

// series are the labels of a metric's series.
func (b testHandler) series(t *testing.T, metric string) []string {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := register(registry, b.metrics.all()); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == metric {
				var pairs []string
				for _, pair := range m.GetLabel() {
					pairs = append(pairs, fmt.Sprintf("%s=%q", pair.GetName(), pair.GetValue()))
				}
				out = append(out, strings.Join(pairs, ","))
			}
		}
	}
	return out
}

// TestDashboardQueries compares what the dashboard asks for with the metrics that there are, and holds the panels apart.
func TestDashboardQueries(t *testing.T) {
	known := ownMetrics(t)
	unseen := sets.KeySet(known)
	maps.Copy(known, externalMetrics)
	type gridPos struct{ X, Y, W, H int }
	var dashboard struct {
		UID        string
		Templating struct {
			List []struct{ Name, Type, Query string }
		}
		Panels []struct {
			ID          int
			Type, Title string
			GridPos     gridPos
			Datasource  struct{ Type, UID string }
			Targets     []struct {
				Datasource         struct{ Type, UID string }
				Expr, LegendFormat string
			}
		}
	}
	text := readFile(t, monitoringDir+"dashboard.json")
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	if v := dashboard.Templating.List; len(v) != 1 || v[0].Name != "datasource" || v[0].Type != "datasource" || v[0].Query != "prometheus" {
		t.Errorf("the data source can't be chosen: %+v", v)
	}
	taken, ids := map[[2]int]string{}, sets.New[int]()
	legend := regexp.MustCompile(`\{\{(\w+)\}\}`)
	for _, p := range dashboard.Panels {
		if ids.Has(p.ID) {
			t.Errorf("%s: the ID %d is another's", p.Title, p.ID)
		}
		ids.Insert(p.ID)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s: at %d, %d is %q", p.Title, x, y, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && (len(p.Targets) == 0 || p.Datasource.UID != "${datasource}") {
			t.Errorf("%s asks nobody for anything", p.Title)
		}
		for _, q := range p.Targets {
			with, err := known.checkQuery(q.Expr)
			if err != nil {
				t.Errorf("%s: %v", p.Title, err)
			}
			if q.Datasource.UID != "${datasource}" {
				t.Errorf("%s asks %s", p.Title, q.Datasource.UID)
			}
			for _, m := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
				if !with.Has(m[1]) {
					t.Errorf("%s: the legend has %s, the series have %v", p.Title, m[1], sets.List(with))
				}
			}
			for name := range unseen.Clone() {
				if strings.Contains(q.Expr, strings.TrimSuffix(name, " histogram")) {
					unseen.Delete(name)
				}
			}
		}
	}
	if unseen.Len() > 0 {
		t.Errorf("the dashboard does not show %v", sets.List(unseen))
	}
}

// TestMonitoringPage compares docs/monitoring.md with the metrics, the values of their labels, and the alerts: nothing is missing from
// either.
func TestMonitoringPage(t *testing.T) {
	page := readFile(t, "../docs/monitoring.md")
	code := regexp.MustCompile("`([^`]+)`")
	quoted := func(cell string) []string {
		out := []string{}
		for _, m := range code.FindAllStringSubmatch(cell, -1) {
			out = append(out, m[1])
		}
		slices.Sort(out)
		return out
	}
	metrics, values, told := map[string][]string{}, map[string]sets.Set[string]{}, map[string]string{}
	label := ""
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|"), "|")
		if len(cells) != 3 {
			label = ""
			continue
		}
		first, second := quoted(cells[0]), quoted(cells[1])
		switch {
		case strings.HasPrefix(strings.TrimSpace(cells[0]), "KfpPreflight"):
			told[strings.TrimSpace(cells[0])] = strings.TrimSpace(cells[1])
		case len(first) == 1 && strings.HasPrefix(first[0], "kfp_preflight_"):
			metrics[first[0]] = second
		case strings.TrimSpace(cells[0]) == "label":
			label = "?"
		case label != "" && strings.TrimSpace(cells[1]) != "---":
			if name := strings.ReplaceAll(strings.TrimSpace(cells[0]), "`", ""); name != "" {
				label = name
			}
			if values[label] == nil {
				values[label] = sets.New[string]()
			}
			value := ""
			if len(second) > 0 {
				value = second[0]
			}
			values[label].Insert(value)
		}
	}
	real := map[string][]string{}
	for name, with := range ownMetrics(t) {
		real[strings.TrimSuffix(name, " histogram")] = sets.List(sets.KeySet(with))
	}
	compareWithPage(t, "metric", metrics, real, slices.Equal[[]string])
	want := labelValues(t)
	delete(want, "rule") // the rules have pages of their own
	compareWithPage(t, "label", values, want, sets.Set[string].Equal)
	severities := map[string]string{}
	for _, a := range shippedAlerts(t) {
		severities[a.Alert] = a.Labels["severity"]
	}
	compareWithPage(t, "alert", told, severities, func(a, b string) bool { return a == b })
}

func compareWithPage[V any](t *testing.T, what string, page, real map[string]V, equal func(V, V) bool) {
	t.Helper()
	for name, want := range real {
		if got, ok := page[name]; !ok {
			t.Errorf("the page has no %s %s", what, name)
		} else if !equal(got, want) {
			t.Errorf("%s %s: the page says %v, it is %v", what, name, got, want)
		}
	}
	for name := range page {
		if _, ok := real[name]; !ok {
			t.Errorf("there is no %s %s", what, name)
		}
	}
}
