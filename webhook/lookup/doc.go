// Package lookup answers the questions that rules have about a cluster: it implements [validators.Facts] with reads of the API
// server.
//
// A [Client] is shared by all reviews. It caches answers for a few seconds (cache.go), lets concurrent reviews share one request
// (lookupgroup.go), bounds how many requests are in flight, and retries requests that may succeed the second time (call.go). Each
// review has a [Session], which gives the same answer to the same question and does not outlive the review's context. facts.go has the
// questions; existence.go checks whether the objects that a pod depends on exist.
//
// A cached answer never leads to a denial: before a finding is reported, [Session.Refresh] repeats every lookup that the finding may be
// based on and whose answer may be older than the review.
//
// A failed lookup is an error, never an answer. The error is worded for the user (errors.go); the details go to the log and to a
// metric. Secrets are read by name only, and their values are dropped before anything is kept.
package lookup
