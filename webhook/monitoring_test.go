package webhook

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
)

// monitoringDir holds the kustomize component with the alerts and the dashboard.
const monitoringDir = "../manifests/components/monitoring/"

// externalMetrics are the metrics of other programs that alerts and dashboard query, with the labels that they use.
var externalMetrics = metricCatalog{
	// k8s.io/apiserver pkg/admission/metrics/metrics.go v0.37.2
	"apiserver_admission_webhook_fail_open_count": {"name": nil, "type": nil},
	"apiserver_admission_webhook_rejection_count": {
		"name": nil, "type": nil, "operation": nil, "rejection_code": nil,
		"error_type": sets.New("no_error", "calling_webhook_error", "apiserver_internal_error"),
	},
	"apiserver_admission_webhook_admission_duration_seconds histogram": {"name": nil, "type": nil, "operation": nil, "rejected": nil},
	// kubernetes/kube-state-metrics docs/metrics/workload/deployment-metrics.md
	"kube_deployment_status_replicas_available": {"namespace": sets.New("kfp-preflight"), "deployment": sets.New("kfp-preflight")},
	// github.com/prometheus/client_golang prometheus/collectors
	"process_resident_memory_bytes": {},
	"process_cpu_seconds_total":     {},
	"go_goroutines":                 {},
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestMonitoringPage checks that docs/monitoring.md lists exactly the metrics, the values of their labels, and the alerts that exist.
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
	metrics, values, severities := map[string][]string{}, map[string]sets.Set[string]{}, map[string]string{}
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
			severities[strings.TrimSpace(cells[0])] = strings.TrimSpace(cells[1])
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
	actual := map[string][]string{}
	for name, labels := range ownMetrics(t) {
		actual[strings.TrimSuffix(name, " histogram")] = sets.List(sets.KeySet(labels))
	}
	compareWithPage(t, "metric", metrics, actual, slices.Equal[[]string])
	want := labelValues(t)
	delete(want, "rule") // the rules have pages of their own
	compareWithPage(t, "label", values, want, sets.Set[string].Equal)
	actualSeverities := map[string]string{}
	for _, a := range shippedAlerts(t) {
		actualSeverities[a.Alert] = a.Labels["severity"]
	}
	compareWithPage(t, "alert", severities, actualSeverities, func(a, b string) bool { return a == b })
}

// compareWithPage fails where a table of the page differs from what exists.
func compareWithPage[V any](t *testing.T, what string, page, actual map[string]V, equal func(V, V) bool) {
	t.Helper()
	for name, want := range actual {
		if got, ok := page[name]; !ok {
			t.Errorf("the page lacks %s %s", what, name)
		} else if !equal(got, want) {
			t.Errorf("%s %s: the page has %v, want %v", what, name, got, want)
		}
	}
	for name := range page {
		if _, ok := actual[name]; !ok {
			t.Errorf("the page has %s %s, which does not exist", what, name)
		}
	}
}
