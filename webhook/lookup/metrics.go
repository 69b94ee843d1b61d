package lookup

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what is asked of the API server. No label ever holds a name or a namespace.
type Metrics struct {
	durations *prometheus.HistogramVec
	errors    *prometheus.CounterVec
	dryRuns   *prometheus.CounterVec
}

// NewMetrics returns Metrics that are not registered yet.
func NewMetrics() *Metrics {
	return &Metrics{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kfp_preflight_lookup_duration_seconds",
			Help: "Time that the API server took for one call of ours, by resource, whatever came of it. " +
				"What is answered from memory is not counted.",
			Buckets: []float64{.0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25, .5, 1, 2, 3, 5},
		}, []string{"resource"}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_lookup_errors_total",
			Help: "Lookups that gave no answer, by resource and reason. No object is denied for what they would have told.",
		}, []string{"resource", "reason"}),
		dryRuns: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_dry_runs_total",
			Help: "Pods that the API server was asked about before a denial, by rule and result (refused, admitted, failed). " +
				"admitted counts the denials that would have been wrong.",
		}, []string{"rule", "result"}),
	}
}

// Collectors are the metrics, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.durations, m.errors, m.dryRuns}
}
