// Package webhook is the admission webhook around the rules: it reads AdmissionReviews, decides by modes what findings lead to, and
// answers.
//
// A review passes through the package like this: [Server] (server.go, listener.go) hands the request to a handler (handler.go), which
// reads the review (review.go) and decodes the object (fastdecode.go, profile.go, workflow.go) as far as the memory limiter permits
// (memorylimiter.go). Objects that need not be judged pass at once. For all others the handler applies the rules of package
// validators, with facts from package webhook/lookup, and repeats that on fresh facts before it reports anything. The policy
// (config.go) turns findings into denials, warnings and audit annotations; answer.go writes the response, metrics.go counts it,
// events.go records Events.
//
// Failures on our side never deny an object. They become a warning to the client, a log line and a metric.
package webhook
