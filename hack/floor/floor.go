// Package floor contains admission webhooks that do less than kfp-preflight and allow everything. Benchmarks compare
// kfp-preflight with them: they are the lower bound of what a webhook costs.
package floor

import (
	"context"
	"io"
	"net/http"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// FixedAnswer returns a handler that reads the request and always sends the same answer. It shows the cost of the
// transport.
func FixedAnswer() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1",`+
			`"response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true}}`)
	})
}

// AllowAll returns a controller-runtime webhook that allows every request without a look at the object.
func AllowAll() http.Handler {
	return &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Allowed("")
	})}
}

// DecodeArgoTypes returns a controller-runtime webhook that decodes the object into Argo's types and allows it.
func DecodeArgoTypes() http.Handler {
	scheme := runtime.NewScheme()
	if err := wfv1.AddToScheme(scheme); err != nil {
		panic(err) // Argo's types always register
	}
	decoder := admission.NewDecoder(scheme)
	return &admission.Webhook{Handler: admission.HandlerFunc(func(_ context.Context, req admission.Request) admission.Response {
		if err := decoder.Decode(req, &wfv1.Workflow{}); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		return admission.Allowed("")
	})}
}
