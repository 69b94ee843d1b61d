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

// events tells a namespace of what was denied and warned of in it. The same once more counts up the event that is there, and a flood of
// different ones is cut off, by client-go.
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

// maxEvent is how long the message of an event may be.
const maxEvent = 1024

// tell records what a review came to. It does not say who asked, and not the object's name: those of runs are new each time, and the
// log has both.
func (e *events) tell(k kind, req *admissionv1.AdmissionRequest, a *answer) {
	if req.DryRun != nil && *req.DryRun || k.name == profiles.name && req.Operation == admissionv1.Create {
		return // the namespace of a new Profile is not there yet
	}
	namespace := cmp.Or(req.Namespace, req.Name)
	at := &corev1.ObjectReference{APIVersion: "v1", Kind: "Namespace", Name: namespace, Namespace: namespace}
	for _, told := range []struct {
		effect validators.Mode
		reason string
	}{{validators.Deny, k.name + "Denied"}, {validators.Warn, k.name + "Warned"}} {
		if line := a.line(told.effect); line != "" {
			e.recorder.Event(at, corev1.EventTypeWarning, told.reason, line[:min(len(line), maxEvent)])
		}
	}
}
