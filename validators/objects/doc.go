// Package objects knows which objects can be judged outside of admission, and how: Profiles and Workflows as the webhook would, and
// what Workflows come out of, such as a CronWorkflow, by the Workflows that come out of it.
//
// [Decode] reads one object; [Object.Judge] asks the rules about it. The fields of its findings are those of the object itself.
package objects
