package lookup

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"
	"k8s.io/client-go/rest"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// Options configure a Client.
type Options struct {
	// Argo says where the workflow-controllers have their configuration.
	Argo ArgoConfig
	// Timeout bounds one lookup, retries included.
	Timeout time.Duration
	// CacheTTL is how long an answer may be reused by later reviews.
	CacheTTL time.Duration
	// SecretSources are further kinds whose controllers create Secrets, besides validators.SecretSourceKinds.
	SecretSources []validators.SecretSourceKind
	// NewNamespaceAge is the age up to which a Profile's namespace counts as new; 0 if none does.
	NewNamespaceAge time.Duration
	// Metrics count the lookups.
	Metrics *Metrics
	// Log receives failed lookups.
	Log logr.Logger
}

// Client reads facts about a cluster from its API server. It is safe for concurrent use.
type Client struct {
	api     rest.Interface
	options Options
	cache   *cache
	group   lookupGroup
	calls   *semaphore.Weighted
}

// maxConcurrentCalls bounds how many requests of all reviews together are in flight.
const maxConcurrentCalls = 64

// NewClient returns a Client that sends its requests through api. It does not send a request yet.
func NewClient(api rest.Interface, options Options) *Client {
	return &Client{
		api: api, options: options,
		cache: newCache(options.CacheTTL), calls: semaphore.NewWeighted(maxConcurrentCalls),
	}
}

// NewSession returns the session of one review. Its lookups fail once ctx is done.
func (c *Client) NewSession(ctx context.Context) *Session {
	return &Session{client: c, ctx: ctx, results: map[string]*result{}, reported: map[string]bool{}}
}
