package webhook

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"
)

// alert is an alerting rule of the shipped PrometheusRule.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

// shippedAlerts reads the alerting rules that the monitoring component installs.
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

// TestAlertQueries checks that each alert queries metrics and labels that exist, has a severity, and says what to do.
func TestAlertQueries(t *testing.T) {
	catalog := ownMetrics(t)
	maps.Copy(catalog, externalMetrics)
	mentioned := regexp.MustCompile(`\{\{[^}]*\$labels\.(\w+)`)
	for _, a := range shippedAlerts(t) {
		labels, err := catalog.checkQuery(a.Expr)
		if err != nil {
			t.Errorf("%s: %v", a.Alert, err)
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s has no known severity: %v", a.Alert, a.Labels)
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s lacks a summary or a description: %v", a.Alert, a.Annotations)
		}
		for _, m := range mentioned.FindAllStringSubmatch(a.Annotations["summary"]+a.Annotations["description"], -1) {
			if !labels.Has(m[1]) {
				t.Errorf("%s mentions label %s; its series have the labels %v", a.Alert, m[1], sets.List(labels))
			}
		}
	}
}
