package webhook

import (
	"crypto/x509"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
)

// serverMetrics describe the server itself: its version, its configuration, the expiry of its certificate.
type serverMetrics struct {
	configReloads *prometheus.CounterVec
	// configValid is 0 while the file has an invalid configuration.
	configValid prometheus.Gauge
	// configTime is when the active configuration was read.
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
		configValid: prometheus.NewGauge(prometheus.GaugeOpts{
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
	return []prometheus.Collector{m.configReloads, m.configValid, m.configTime, m.build, m.certificate}
}

// unregister removes the metrics from the registry, so that another server can run in the same process.
func (m *serverMetrics) unregister(registry prometheus.Registerer) { unregister(registry, m.all()) }

// reloaded counts a change of the configuration file; err is set if it was invalid.
func (m *serverMetrics) reloaded(err error) {
	result := "applied"
	if err != nil {
		result = "refused"
	}
	m.configReloads.WithLabelValues(result).Inc()
	m.configured(err)
}

// configured records whether the configuration in the file is active; err is set if it was invalid.
func (m *serverMetrics) configured(err error) {
	if err != nil {
		m.configValid.Set(0)
		return
	}
	m.configValid.Set(1)
	m.configTime.SetToCurrentTime()
}

// expiry collects the time at which the current certificate expires.
type expiry struct {
	certificates certificates
	desc         *prometheus.Desc
}

// Describe implements prometheus.Collector.
func (e expiry) Describe(out chan<- *prometheus.Desc) { out <- e.desc }

// Collect implements prometheus.Collector.
func (e expiry) Collect(out chan<- prometheus.Metric) {
	current, err := e.certificates.GetCertificate(nil)
	if err != nil || current == nil || len(current.Certificate) == 0 {
		return // the readiness probe and the log say why
	}
	leaf := current.Leaf
	if leaf == nil {
		if leaf, err = x509.ParseCertificate(current.Certificate[0]); err != nil {
			return
		}
	}
	out <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(leaf.NotAfter.Unix()))
}
