// Package lookup answers the questions that rules have about a cluster: it implements [validators.Facts] with reads of the API
// server.
//
// A [Client] is shared by all reviews. It caches answers for a few seconds (cache.go), lets concurrent reviews share one request
// (lookupgroup.go), bounds how many requests are in flight, and retries what may succeed the second time (call.go). Each review
// opens a [Session], which gives the same answer to the same question and never outlives the review's context. facts.go lists what
// can be asked, existence.go checks whether the objects that a pod depends on exist.
//
// Nobody is denied because of a cached answer: before a finding is reported, [Session.Refresh] repeats every lookup that the finding may
// be based on and whose answer may be older than the review.
//
// A lookup that fails is never an answer. Its error is worded for the user (errors.go); the details go to the log and to a
// metric. Secrets are read by name only, and their values are dropped before anything is kept.
package lookup
