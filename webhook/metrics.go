package webhook

import (
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// metrics count reviews. The API server counts a denial as a successful call, so only these metrics show what was decided. No label
// ever holds a name or a namespace. docs/monitoring.md lists all of them.
type metrics struct {
	reviews     *prometheus.CounterVec
	durations   *prometheus.HistogramVec
	inFlight    prometheus.Gauge
	findings    *prometheus.CounterVec
	skips       *prometheus.CounterVec
	badRequests *prometheus.CounterVec
	lookups     *lookup.Metrics
}

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_reviews_total",
			Help: "Objects reviewed, by decision (allow, deny). passed says why an object was let in without being judged; " +
				"it is empty for one that was judged.",
		}, []string{"kind", "operation", "decision", "passed", "dry_run"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "kfp_preflight_review_duration_seconds",
			Help:    "Time from the request to the answer, lookups included.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 5},
		}, []string{"kind", "decision"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kfp_preflight_reviews_in_flight",
			Help: "Requests that have come in and are not answered yet.",
		}),
		findings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_findings_total",
			Help: "What rules found, by certainty (certain, possible, unknown) and by what it led to (deny, warn, audit).",
		}, []string{"rule", "certainty", "effect"}),
		skips: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_skips_total",
			Help: "Reviews in which an annotation of the object switched a rule off.",
		}, []string{"rule"}),
		badRequests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_bad_requests_total",
			Help: "Requests that were no AdmissionReview, by reason.",
		}, []string{"reason"}),
		lookups: lookup.NewMetrics(),
	}
	return m, register(registry, m.all())
}

func (m *metrics) all() []prometheus.Collector {
	own := []prometheus.Collector{m.reviews, m.durations, m.inFlight, m.findings, m.skips, m.badRequests}
	return append(own, m.lookups.Collectors()...)
}

// unregister removes the metrics from the registry, so that another server can run in the same process.
func (m *metrics) unregister(registry prometheus.Registerer) { unregister(registry, m.all()) }

// register registers all collectors, or none.
func register(registry prometheus.Registerer, collectors []prometheus.Collector) error {
	for i, c := range collectors {
		if err := registry.Register(c); err != nil {
			unregister(registry, collectors[:i])
			return err
		}
	}
	return nil
}

func unregister(registry prometheus.Registerer, collectors []prometheus.Collector) {
	for _, c := range collectors {
		registry.Unregister(c)
	}
}

// initialize sets the counters that alerts use to zero. If the first sample of a counter is 1, Prometheus sees no increase.
func (m *metrics) initialize(kinds ...kind) {
	for _, k := range kinds {
		for _, operation := range k.operations {
			for _, passed := range []string{passKind, passBusy, passUnreadable, passPanic} {
				for _, dryRun := range []string{"false", "true"} {
					m.reviews.WithLabelValues(k.name, string(operation), "allow", passed, dryRun)
				}
			}
		}
		m.reviews.WithLabelValues(k.name, "other", "allow", passTooLarge, "false") // such a review is not decoded
	}
	m.badRequests.WithLabelValues(badBusy)
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
	dryRun := isDryRun(req)
	m.reviews.WithLabelValues(k.name, operation, decision, a.passed, strconv.FormatBool(dryRun)).Inc()
	m.durations.WithLabelValues(k.name, decision).Observe(took.Seconds())
	for _, f := range a.findings {
		m.findings.WithLabelValues(f.Rule, f.Certainty.String(), string(f.effect)).Inc()
	}
	for _, rule := range a.skipped {
		m.skips.WithLabelValues(rule).Inc()
	}
}

// badBusy is the reason for rejecting a request whose body can't be read because other reviews occupy the memory.
const badBusy = "busy"
