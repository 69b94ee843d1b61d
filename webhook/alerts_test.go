package webhook

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/yaml"
)

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
