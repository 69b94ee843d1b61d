// Package webhook is the admission webhook: it reads AdmissionReviews, applies the rules of package validators, turns their findings
// into denials and warnings, and answers.
//
// A review takes this path: [Server] (server.go, listener.go, reviewmux.go) passes the request to a handler (handler.go). The handler
// reads the review (review.go) and decodes the object (fastdecode.go, profile.go, workflow.go), once there is enough free memory
// (memorylimiter.go). Objects that need not be judged are admitted at once. To all others the handler applies the rules, with facts
// from package webhook/lookup, and again with fresh facts before it reports a finding. The policy in the configuration (config.go)
// turns findings into denials, warnings and audit annotations. answer.go builds the response, metrics.go counts it, events.go records
// Events.
//
// A failure of the webhook itself never denies an object, and neither does a failed lookup unless the configuration says so. Both become
// a warning to the client, a log line and a metric.
package webhook
