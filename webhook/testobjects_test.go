package webhook

import (
	"encoding/json"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	profileWithCPUQuota = `{"apiVersion":"kubeflow.org/v1","kind":"Profile","metadata":{"name":"team-a"},"spec":{"resourceQuotaSpec":{"hard":{"cpu":2}}}}`
	workflowWithSecret  = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"run","namespace":"team-a"},"spec":{"entrypoint":"main",
		"templates":[{"name":"main","container":{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"credentials","key":"token"}}}]}}]}}`
)

const plainWorkflow = `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"run","namespace":"team-a"},"spec":{"entrypoint":"main","templates":[{"name":"main","container":{"image":"a"}}]}}`

func workflowJSON(template string) string {
	return `{"apiVersion":"argoproj.io/v1alpha1","kind":"Workflow","metadata":{"name":"a","namespace":"b"},"spec":{"entrypoint":"main","templates":[` + template + `]}}`
}

// reviewJSON wraps an object, in JSON or as a change of the request around it, into an AdmissionReview.
func reviewJSON(t *testing.T, object string, changes ...func(*admissionv1.AdmissionRequest)) string {
	t.Helper()
	var meta metav1.PartialObjectMetadata
	if err := json.Unmarshal([]byte(object), &meta); err != nil {
		t.Fatal(err)
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
		t.Fatal(err)
	}
	return string(out)
}

func secretWith(key string) *corev1.Secret {
	return &corev1.Secret{TypeMeta: metav1.TypeMeta{Kind: "Secret", APIVersion: "v1"}, Data: map[string][]byte{key: nil}}
}
