package webhook

import (
	"encoding/json"
	"maps"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
)

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
