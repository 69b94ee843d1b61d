package webhook

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"k8s.io/apimachinery/pkg/util/sets"
)

// metricLabels are the labels of a metric, with the possible values of each; nil if any value is possible.
type metricLabels map[string]sets.Set[string]

// metricCatalog lists metrics by name; a histogram's name ends in " histogram". It checks queries, because Prometheus does not: it answers
// a query about a metric, a label or a value that does not exist with an empty result.
type metricCatalog map[string]metricLabels

// scrapeLabels are the labels that Prometheus adds when it scrapes a target.
var scrapeLabels = sets.New("job", "instance", "namespace", "pod", "service", "endpoint", "container")

// checkQuery returns the labels of a query's result, or an error if the query can have no result.
func (c metricCatalog) checkQuery(text string) (sets.Set[string], error) {
	// Grafana's variables
	text = strings.NewReplacer("$__rate_interval", "5m", "$__range", "1d").Replace(text)
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil, err
	}
	return c.exprLabels(expr)
}

// exprLabels returns the labels of an expression's result; nil for a scalar.
func (c metricCatalog) exprLabels(expr parser.Expr) (sets.Set[string], error) {
	switch e := expr.(type) {
	case *parser.NumberLiteral:
		return nil, nil
	case *parser.ParenExpr:
		return c.exprLabels(e.Expr)
	case *parser.MatrixSelector:
		return c.exprLabels(e.VectorSelector)
	case *parser.VectorSelector:
		return c.selectorLabels(e)
	case *parser.Call:
		return c.callLabels(e)
	case *parser.AggregateExpr:
		inner, err := c.exprLabels(e.Expr)
		if err != nil {
			return nil, err
		}
		by := sets.New(e.Grouping...)
		if unknown := by.Difference(inner); unknown.Len() > 0 {
			return nil, fmt.Errorf("%s has no label %v", e.Expr, sets.List(unknown))
		}
		if e.Without {
			return inner.Difference(by), nil
		}
		return by, nil
	case *parser.BinaryExpr:
		return c.binaryLabels(e)
	}
	return nil, fmt.Errorf("checkQuery does not support %T: %s", expr, expr)
}

// selectorLabels returns the labels of a selector, and checks its name and its matchers.
func (c metricCatalog) selectorLabels(e *parser.VectorSelector) (sets.Set[string], error) {
	name, histogram := e.Name, false
	known, ok := c[name]
	if !ok {
		for _, suffix := range []string{"_bucket", "_count", "_sum"} {
			if base, cut := strings.CutSuffix(name, suffix); cut && c[base+" histogram"] != nil {
				known, ok, histogram = c[base+" histogram"], true, suffix == "_bucket"
			}
		}
	}
	if !ok {
		return nil, fmt.Errorf("there is no metric %s", name)
	}
	all := scrapeLabels.Union(sets.KeySet(known))
	if histogram {
		all.Insert("le")
	}
	for _, m := range e.LabelMatchers {
		if m.Name == "__name__" {
			continue
		}
		if !all.Has(m.Name) {
			return nil, fmt.Errorf("%s has no label %s", name, m.Name)
		}
		values := known[m.Name]
		if values == nil {
			continue
		}
		alternatives := []string{m.Value}
		if m.Type == labels.MatchRegexp || m.Type == labels.MatchNotRegexp {
			alternatives = strings.Split(m.Value, "|")
		}
		for _, value := range alternatives {
			if !values.Has(value) {
				return nil, fmt.Errorf("label %s of %s is never %q, only one of %q", m.Name, name, value, sets.List(values))
			}
		}
	}
	return all, nil
}

// callLabels returns the labels of a function's result.
func (c metricCatalog) callLabels(e *parser.Call) (sets.Set[string], error) {
	switch e.Func.Name {
	case "time":
		return nil, nil
	case "absent":
		_, err := c.exprLabels(e.Args[0])
		return sets.New[string](), err
	case "rate", "increase":
		return c.exprLabels(e.Args[0])
	case "histogram_quantile":
		inner, err := c.exprLabels(e.Args[1])
		if err == nil && !inner.Has("le") {
			err = fmt.Errorf("%s has no buckets", e.Args[1])
		}
		return inner.Difference(sets.New("le")), err
	}
	return nil, fmt.Errorf("checkQuery does not support %s", e.Func.Name)
}

// binaryLabels returns the labels of a binary operation's result.
func (c metricCatalog) binaryLabels(e *parser.BinaryExpr) (sets.Set[string], error) {
	left, err := c.exprLabels(e.LHS)
	right, err2 := c.exprLabels(e.RHS)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	switch {
	case left == nil:
		return right, nil
	case right == nil:
		return left, nil
	}
	match := e.VectorMatching
	matched := sets.New(match.MatchingLabels...)
	if unknown := matched.Difference(left.Union(right)); unknown.Len() > 0 {
		return nil, fmt.Errorf("neither side has a label %v: %s", sets.List(unknown), e)
	}
	if !match.On && match.Card == parser.CardOneToOne && !left.Difference(matched).Equal(right.Difference(matched)) {
		return nil, fmt.Errorf("the sides never match: their labels are %v and %v: %s", sets.List(left), sets.List(right), e)
	}
	switch {
	case match.Card == parser.CardManyToOne:
		return left.Union(sets.New(match.Include...)), nil
	case match.Card == parser.CardOneToMany:
		return right.Union(sets.New(match.Include...)), nil
	case match.On && !e.Op.IsSetOperator():
		return matched, nil
	}
	return left, nil
}

// TestCheckQuery checks valid queries, and queries with each mistake that checkQuery must find.
func TestCheckQuery(t *testing.T) {
	catalog := metricCatalog{
		"seen_total":     {"kind": sets.New("Profile"), "name": nil},
		"took histogram": {"kind": nil},
	}
	for query, want := range map[string]any{
		`sum by (kind) (rate(seen_total{kind="Profile"}[5m])) > 0`:                         []string{"kind"},
		`histogram_quantile(0.9, sum by (kind, le) (rate(took_bucket[$__rate_interval])))`: []string{"kind"},
		`sum by (name) (seen_total) / on () group_left () sum(took_count)`:                 []string{"name"},
		`60 * sum(seen_total) and sum(took_count) > 0`:                                     []string{},
		`absent(seen_total)`:                   []string{},
		`sum(seen)`:                            "no metric seen",
		`seen_total{color="red"}`:              "no label color",
		`seen_total{kind=~"Profile|Workflow"}`: `never "Workflow"`,
		`sum by (color) (seen_total)`:          "no label [color]",
		`sum by (name) (took_count)`:           "no label [name]",
		`histogram_quantile(0.9, sum by (kind) (rate(took_bucket[5m])))`: "no buckets",
		`took_bucket * on (color) took_count`:                            "neither side",
		`sum by (kind) (seen_total) / sum(seen_total)`:                   "never match",
		`sum(`: "unclosed",
		`label_replace(seen_total, "a", "b", "c", "d")`: "does not support label_replace",
	} {
		got, err := catalog.checkQuery(query)
		switch want := want.(type) {
		case string:
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error is %v, want %s", query, err, want)
			}
		case []string:
			if err != nil || !slices.Equal(sets.List(got), want) {
				t.Errorf("%s: the labels are %v, %v, want %v", query, sets.List(got), err, want)
			}
		}
	}
}
