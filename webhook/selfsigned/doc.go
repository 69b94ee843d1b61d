// Package selfsigned issues and renews the certificates of a webhook, for clusters without cert-manager.
//
// All replicas share a CA, which they store in a Secret. Each replica signs a serving certificate of its
// own, keeps it in memory only, and makes sure that the webhook configuration trusts the CA.
//
// Renewal does not interrupt calls. The webhook configuration trusts the next CA long before a replica
// signs with it, and trusts the previous CA until it expires.
package selfsigned
