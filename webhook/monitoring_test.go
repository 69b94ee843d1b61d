package webhook

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
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

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
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
