package webhook

import (
	"cmp"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// events records denials and warnings as Events in the object's namespace. client-go merges repeated Events into one with a count, and
// drops Events when there are too many.
type events struct {
	broadcaster record.EventBroadcaster
	recorder    record.EventRecorder
}

func newEvents(client corev1client.EventsGetter) *events {
	e := &events{broadcaster: record.NewBroadcaster()}
	e.broadcaster.StartRecordingToSink(&corev1client.EventSinkImpl{Interface: client.Events("")})
	e.recorder = e.broadcaster.NewRecorder(runtime.NewScheme(), corev1.EventSource{Component: "kfp-preflight"})
	return e
}

// stop ends the recording.
func (e *events) stop() { e.broadcaster.Shutdown() }

// maxEventMessage is the API server's limit for the message of an Event.
const maxEventMessage = 1024

// record records the outcome of a review. The Event names neither the client nor the object: every run has a new name, and
// Events could not be merged. The log has both.
func (e *events) record(k kind, req *admissionv1.AdmissionRequest, a *answer) {
	if isDryRun(req) || k.name == profiles.name && req.Operation == admissionv1.Create {
		return // the namespace of a new Profile does not exist yet
	}
	namespace := cmp.Or(req.Namespace, req.Name)
	subject := &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: namespace, Namespace: namespace}
	for _, event := range []struct {
		effect validators.Mode
		reason string
	}{{validators.Deny, k.name + "Denied"}, {validators.Warn, k.name + "Warned"}} {
		if line := a.joinMessages(event.effect); line != "" {
			e.recorder.Event(subject, corev1.EventTypeWarning, event.reason, line[:min(len(line), maxEventMessage)])
		}
	}
}
