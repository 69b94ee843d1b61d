// Package webhook is the admission layer around the rules: it speaks AdmissionReview, finds out facts about the cluster,
// and turns findings into an answer.
//
// A review goes through the package in one line. [Server] hands it to a handler, which reads the envelope (envelope.go),
// decodes the object (profile.go, workflow.go), passes at once what need not be judged, asks the rules with facts that
// may be remembered (facts.go, memory.go), asks again with live ones before anything is denied, lets the modes decide
// (config.go), writes the answer (answer.go) and counts it (metrics.go).
//
// What goes wrong on our side never denies anything: it is a warning to the client, a log line and a metric.
package webhook
