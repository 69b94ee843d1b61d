package webhook

import (
	"net/http"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/webhook/lookup"
)

// reviewMux routes reviews to one handler for each kind and mode. A new configuration replaces all handlers; reviews that are in
// progress finish under the old one.
type reviewMux struct {
	*http.ServeMux
	prototype handler
	api       rest.Interface
	lookups   *lookup.Client                      // of the newest configuration
	handlers  map[string]*atomic.Pointer[handler] // by path
}

// newReviewMux returns a mux without routes. prototype has the fields that all handlers share. Lookups go through api.
func newReviewMux(prototype handler, api rest.Interface) *reviewMux {
	return &reviewMux{ServeMux: http.NewServeMux(), prototype: prototype, api: api, handlers: map[string]*atomic.Pointer[handler]{}}
}

// configure applies a configuration to all later reviews. It must not be called concurrently.
func (m *reviewMux) configure(config Config) {
	options := config.LookupOptions()
	options.Metrics, options.Log = m.prototype.metrics.lookups, m.prototype.log
	m.lookups = lookup.NewClient(m.api, options)
	for _, k := range []kind{profiles, workflows} {
		for path, ceiling := range k.paths() {
			h := m.prototype
			h.kind, h.config, h.lookups = k, config, m.lookups
			h.config.Policy = config.Under(ceiling)
			current, ok := m.handlers[path]
			if !ok {
				current = &atomic.Pointer[handler]{}
				m.handlers[path] = current
				m.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) })
			}
			current.Store(&h)
		}
	}
}
