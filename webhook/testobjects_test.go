package webhook

import (
	"encoding/json"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// profileWithCPUQuota is denied unless a LimitRange or the controller sets cpu requests.
	profileWithCPUQuota = `{"apiVersion":"kubeflow.org/v1","kind":"Profile","metadata":{"name":"team-a"},
		"spec":{"resourceQuotaSpec":{"hard":{"cpu":2}}}}`

	// workflowWithSecret is denied unless Secret credentials exists and has the key token.
	workflowWithSecret = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"run","namespace":"team-a"},
		"spec":{"entrypoint":"main","templates":[{"name":"main",
			"container":{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"credentials","key":"token"}}}]}}]}}`

	// plainWorkflow depends on nothing.
	plainWorkflow = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"run","namespace":"team-a"},
		"spec":{"entrypoint":"main","templates":[{"name":"main","container":{"image":"a"}}]}}`
)

// workflowJSON is a Workflow with these templates; the entrypoint is main.
func workflowJSON(templates string) string {
	return `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"a","namespace":"b"},
		"spec":{"entrypoint":"main","templates":[` + templates + `]}}`
}

// reviewJSON is an AdmissionReview of the creation of an object, after changes to the request.
func reviewJSON(tb testing.TB, object string, changes ...func(*admissionv1.AdmissionRequest)) string {
	tb.Helper()
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal([]byte(object), &meta); err != nil {
		tb.Fatal(err)
	}
	gvk := meta.GroupVersionKind()
	request := &admissionv1.AdmissionRequest{
		UID: "uid", Operation: admissionv1.Create, Name: meta.Name, Namespace: meta.Namespace,
		Kind: metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind},
	}
	request.Object.Raw = []byte(object)
	for _, change := range changes {
		change(request)
	}
	out, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: reviewType, Request: request})
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

func secretWith(key string) *corev1.Secret {
	return &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}, Data: map[string][]byte{key: nil}}
}

func configMapWith(data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{TypeMeta: metav1.TypeMeta{Kind: "ConfigMap", APIVersion: "v1"}, Data: data}
}
