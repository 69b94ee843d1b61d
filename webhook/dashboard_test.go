package webhook

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
)

// TestDashboardQueries checks that panels query metrics and labels that exist, show all metrics, and don't overlap.
func TestDashboardQueries(t *testing.T) {
	catalog := ownMetrics(t)
	notShown := sets.KeySet(catalog)
	maps.Copy(catalog, externalMetrics)
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
		t.Errorf("the user can't choose the data source: %+v", v)
	}
	taken, ids := map[[2]int]string{}, sets.New[int]()
	legend := regexp.MustCompile(`\{\{(\w+)\}\}`)
	for _, p := range dashboard.Panels {
		if ids.Has(p.ID) {
			t.Errorf("%s: another panel has the ID %d, too", p.Title, p.ID)
		}
		ids.Insert(p.ID)
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("%s: position %d, %d is outside the grid or taken by %q", p.Title, x, y, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type != "row" && (len(p.Targets) == 0 || p.Datasource.UID != "${datasource}") {
			t.Errorf("%s has no query, or not the chosen data source", p.Title)
		}
		for _, q := range p.Targets {
			labels, err := catalog.checkQuery(q.Expr)
			if err != nil {
				t.Errorf("%s: %v", p.Title, err)
			}
			if q.Datasource.UID != "${datasource}" {
				t.Errorf("%s queries data source %s", p.Title, q.Datasource.UID)
			}
			for _, m := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
				if !labels.Has(m[1]) {
					t.Errorf("%s: the legend has label %s; the series have the labels %v", p.Title, m[1], sets.List(labels))
				}
			}
			for name := range notShown.Clone() {
				if strings.Contains(q.Expr, strings.TrimSuffix(name, " histogram")) {
					notShown.Delete(name)
				}
			}
		}
	}
	if notShown.Len() > 0 {
		t.Errorf("the dashboard does not show %v", sets.List(notShown))
	}
}
