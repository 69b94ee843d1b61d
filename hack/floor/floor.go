// Package floor has webhooks that do less than kfp-preflight and say yes: what an admission webhook costs at the least, as it is usually
// written.
package floor

import (
	"context"
	"io"
	"net/http"

	wfv1 "github.com/argoproj/argo-workflows/v3/pkg/apis/workflow/v1alpha1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// FixedAnswer reads the request and answers.
func FixedAnswer() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"705ab4f5-6393-11e8-b7cc-42010a800002","allowed":true}}`)
	})
}

// AllowAll is controller-runtime's handler around a yes that does not look at the object.
func AllowAll() http.Handler {
	return &admission.Webhook{Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response {
		return admission.Allowed("")
	})}
}

// DecodeArgoTypes is controller-runtime's handler around one that decodes the object into Argo's types.
func DecodeArgoTypes() http.Handler {
	scheme := runtime.NewScheme()
	if err := wfv1.AddToScheme(scheme); err != nil {
		panic(err) // the types are those of the library
	}
	decoder := admission.NewDecoder(scheme)
	return &admission.Webhook{Handler: admission.HandlerFunc(func(_ context.Context, req admission.Request) admission.Response {
		if err := decoder.Decode(req, &wfv1.Workflow{}); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		return admission.Allowed("")
	})}
}
