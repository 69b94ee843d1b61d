package webhook

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
)

// metrics of the judgement. The API server counts a denial as an answered call, so only these show what was decided. No
// label ever holds a name or a namespace.
type metrics struct {
	reviews      *prometheus.CounterVec
	durations    *prometheus.HistogramVec
	findings     *prometheus.CounterVec
	skips        *prometheus.CounterVec
	lookupErrors *prometheus.CounterVec
	badRequests  *prometheus.CounterVec
	// configReloads counts changes of the configuration.
	configReloads *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_reviews_total",
			Help: "Objects reviewed, by decision (allow, deny). passed says why an object was let in without being judged; it is empty for one that was judged.",
		}, []string{"kind", "operation", "decision", "passed", "dry_run"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kfp_preflight_review_duration_seconds",
			Help:    "Time from the request to the answer, lookups included.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"kind", "decision"}),
		findings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_findings_total",
			Help: "What rules found, by certainty (certain, possible, unknown) and by what it led to (deny, warn, audit).",
		}, []string{"rule", "certainty", "effect"}),
		skips: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_skips_total",
			Help: "Reviews in which an annotation of the object switched a rule off.",
		}, []string{"rule"}),
		lookupErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_lookup_errors_total",
			Help: "Lookups that gave no answer, by resource and reason. No object is denied for what they would have told.",
		}, []string{"resource", "reason"}),
		badRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_bad_requests_total",
			Help: "Requests that were no AdmissionReview, by reason.",
		}, []string{"reason"}),
		configReloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_config_reloads_total",
			Help: "Changes of the configuration file, by result: applied, or refused because it was wrong.",
		}, []string{"result"}),
	}
	for _, c := range m.all() {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.reviews, m.durations, m.findings, m.skips, m.lookupErrors, m.badRequests, m.configReloads}
}

// unregister makes room for another server in the same process.
func (m *metrics) unregister(registry prometheus.Registerer) {
	for _, c := range m.all() {
		registry.Unregister(c)
	}
}

// observe counts one review.
func (m *metrics) observe(k kind, req *admissionv1.AdmissionRequest, a *answer, took time.Duration) {
	decision := "allow"
	if a.denied() {
		decision = "deny"
	}
	operation := "other"
	if slices.Contains(k.operations, req.Operation) {
		operation = string(req.Operation)
	}
	dryRun := req.DryRun != nil && *req.DryRun
	m.reviews.WithLabelValues(k.name, operation, decision, a.passed, strconv.FormatBool(dryRun)).Inc()
	m.durations.WithLabelValues(k.name, decision).Observe(took.Seconds())
	for _, f := range a.findings {
		m.findings.WithLabelValues(f.Rule, f.Certainty.String(), string(f.effect)).Inc()
	}
	for _, rule := range a.skipped {
		m.skips.WithLabelValues(rule).Inc()
	}
}
