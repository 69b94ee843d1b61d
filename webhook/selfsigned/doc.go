// Package selfsigned makes and renews the certificates of a webhook in a cluster that has nothing for that.
//
// A CA lies in a Secret, which all replicas share. Each replica signs a serving certificate for itself, which is never stored, and keeps
// the CA in the webhook configuration. Neither a new serving certificate nor a new CA breaks a call: the next CA is in the webhook
// configuration long before anybody signs with it, and the last one stays there until it expires.
package selfsigned
