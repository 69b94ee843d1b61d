// Package lookuptest helps tests to answer lookups like an API server.
package lookuptest

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ErrorMessage is the message of the errors that Error sends. No user should see it.
const ErrorMessage = "internal words that no user should see"

// Error answers with an error, as an API server does.
func Error(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: reason, Message: ErrorMessage,
	})
}

// NotFound answers that there is no such object.
func NotFound(w http.ResponseWriter) { Error(w, http.StatusNotFound, metav1.StatusReasonNotFound) }

// Object answers with an object that has the name in the request's path. If the request accepts only metadata, it sends nothing else.
func Object(w http.ResponseWriter, r *http.Request, object any) {
	raw, _ := json.Marshal(object)
	var content map[string]any
	_ = json.Unmarshal(raw, &content)
	content["metadata"] = map[string]any{"name": path.Base(r.URL.Path)}
	if strings.Contains(r.Header.Get("Accept"), "PartialObjectMetadata") {
		content = map[string]any{
			"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": content["metadata"],
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(content)
}

// NotTheObject are responses that are not the requested object, by description.
var NotTheObject = map[string]string{
	"nothing":           "",
	"null":              "null",
	"some JSON":         `{"status":"ok"}`,
	"a success":         `{"kind":"Status","apiVersion":"v1","status":"Success"}`,
	"a login page":      "<html>log in</html>",
	"another kind":      `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"credentials"},"data":{}}`,
	"another object":    `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"other"},"data":{}}`,
	"half an object":    `{"kind":"Secret","apiVersion":"v1","metadata":{"name":"credentials"},"da`,
	"an object as list": `{"kind":"LimitRange","apiVersion":"v1","metadata":{"name":"a"}}`,
}
