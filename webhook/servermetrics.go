package webhook

import (
	"crypto/x509"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// serverMetrics tell of the server itself: which version it is, by which configuration it judges, how long its certificate is good for.
type serverMetrics struct {
	configReloads *prometheus.CounterVec
	// configRight is 0 while the file has a configuration that was refused.
	configRight prometheus.Gauge
	// configTime is when the configuration in force was read.
	configTime  prometheus.Gauge
	build       prometheus.Gauge
	certificate prometheus.Collector
}

func newServerMetrics(registry prometheus.Registerer, version string, certificates certificates) (*serverMetrics, error) {
	m := &serverMetrics{
		configReloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kfp_preflight_config_reloads_total",
			Help: "Changes of the configuration file, by result: applied, or refused because it was wrong.",
		}, []string{"result"}),
		configRight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kfp_preflight_config_last_reload_successful",
			Help: "1 if the configuration in the file is in force, 0 if it was refused and the one before is.",
		}),
		configTime: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kfp_preflight_config_last_reload_timestamp_seconds",
			Help: "When the configuration in force was read.",
		}),
		build: prometheus.NewGauge(prometheus.GaugeOpts{
			Name:        "kfp_preflight_build_info",
			Help:        "Always 1; the labels say which version runs, and which version of Go it was built with.",
			ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
		}),
		certificate: expiry{certificates, prometheus.NewDesc("kfp_preflight_certificate_expiry_timestamp_seconds",
			"When the certificate expires that the webhook serves with; absent while it has none.", nil, nil)},
	}
	m.build.Set(1)
	m.configured(nil)
	for _, result := range []string{"applied", "refused"} {
		m.configReloads.WithLabelValues(result)
	}
	return m, register(registry, m.all())
}

func (m *serverMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.configReloads, m.configRight, m.configTime, m.build, m.certificate}
}

// unregister makes room for another server in the same process.
func (m *serverMetrics) unregister(registry prometheus.Registerer) { unregister(registry, m.all()) }

// reloaded counts a change of the configuration; err is what was wrong with it.
func (m *serverMetrics) reloaded(err error) {
	result := "applied"
	if err != nil {
		result = "refused"
	}
	m.configReloads.WithLabelValues(result).Inc()
	m.configured(err)
}

// configured says by which configuration the server judges from now on.
func (m *serverMetrics) configured(err error) {
	if err != nil {
		m.configRight.Set(0)
		return
	}
	m.configRight.Set(1)
	m.configTime.SetToCurrentTime()
}

// expiry reads from the certificate that is served now when it expires.
type expiry struct {
	certificates certificates
	desc         *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (e expiry) Describe(out chan<- *prometheus.Desc) { out <- e.desc }

// Collect implements prometheus.Collector.
func (e expiry) Collect(out chan<- prometheus.Metric) {
	served, err := e.certificates.GetCertificate(nil)
	if err != nil || served == nil || len(served.Certificate) == 0 {
		return // the readiness probe and the log say why
	}
	leaf := served.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(served.Certificate[0]); err != nil {
			return
		}
	}
	out <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(leaf.NotAfter.Unix()))
}
