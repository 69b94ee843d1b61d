package lookup

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/kfp-preflight/kfp-preflight/validators"
)

// Session holds the lookups of one review. A question that was asked before gets the same answer again, until Refresh.
type Session struct {
	client *Client
	ctx    context.Context
	// live says that answers must not be older than the session.
	live bool

	lock     sync.Mutex
	results  map[string]*result // by key
	reported map[string]bool    // failures that were counted and logged, by resource and reason
}

// Facts implements validators.Facts with the lookups of a session.
type Facts struct {
	*Session
	// rule is the ID of the rule that asks; empty for lookups on behalf of all rules.
	rule string
}

var _ validators.Facts = Facts{}

// Facts returns the facts for lookups on behalf of all rules, such as those of the forecast.
func (s *Session) Facts() Facts { return Facts{Session: s} }

// ForRule implements validators.Facts. Refresh uses it to repeat only the lookups of the rules that found something.
func (f Facts) ForRule(id string) validators.Facts { return Facts{f.Session, id} }

// result is the outcome of one lookup within a session.
type result struct {
	lookup
	key   string
	once  sync.Once
	value any
	err   error
	// maybeStale says that the answer may be older than the session: it comes from the cache, or from a request that was sent
	// before the session asked.
	maybeStale bool
	// rules are the IDs of the rules that asked; an empty ID stands for all of them.
	rules []string
}

// maxLookups bounds the lookups of one session. No real Workflow needs that many.
const maxLookups = 1000

// get returns the answer to a lookup. The error either satisfies isNotFound or is worded for the user.
func (f Facts) get(l lookup) (any, error) {
	key := l.key()
	f.lock.Lock()
	r, ok := f.results[key]
	if !ok && len(f.results) == maxLookups {
		f.lock.Unlock()
		return nil, f.reportFailure(l.resource, errTooMany)
	}
	if !ok {
		r = &result{lookup: l, key: key}
		f.results[key] = r
	}
	if !slices.Contains(r.rules, f.rule) {
		r.rules = append(r.rules, f.rule)
	}
	f.lock.Unlock()
	r.once.Do(func() { f.resolve(r) })
	return r.value, r.err
}

// resolve gets the answer from the cache, from a request that is in flight, or from a new request. A live session accepts no
// answer older than itself. If a shared request fails, the session sends its own once, if it has time left.
func (s *Session) resolve(r *result) {
	found, stale, err := answer{}, false, s.ctx.Err() // no lookup starts after ctx is done
	if err == nil && !s.live {
		found, stale = s.client.cache.get(r.key)
		err = found.notFound
	}
	if err == nil && !stale {
		var shared bool
		found, shared, err = s.share(r.lookup, s.live)
		if shared && err != nil && !isNotFound(err) && s.ctx.Err() == nil {
			found, shared, err = s.share(r.lookup, true)
		}
		stale = shared && !s.live
	}
	if err != nil && !isNotFound(err) {
		err = s.reportFailure(r.resource, err)
	}
	r.value, r.err, r.maybeStale = found.value, err, stale
}

// Refresh makes the session live. It repeats, concurrently, each lookup whose answer may be stale and on which a finding of these rules may
// be based. It reports whether any answer has changed, so that the object has to be judged again.
func (s *Session) Refresh(rules []string) (changed bool) {
	s.live = true
	var anyChanged atomic.Bool
	var group errgroup.Group
	group.SetLimit(maxConcurrentPerSession)
	for _, r := range s.results {
		if !r.maybeStale || !r.askedFor(rules) {
			continue
		}
		if r.err == nil && r.satisfied != nil && r.satisfied(r.value) {
			continue
		}
		group.Go(func() error {
			value, err := r.value, r.err
			s.resolve(r)
			if (err == nil) != (r.err == nil) || r.err != nil && !isNotFound(r.err) || !reflect.DeepEqual(value, r.value) {
				anyChanged.Store(true)
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no error
	return anyChanged.Load()
}

// askedFor reports whether the lookup was for one of these rules, or on behalf of all rules.
func (r *result) askedFor(rules []string) bool {
	return slices.ContainsFunc(r.rules, func(id string) bool { return id == "" || slices.Contains(rules, id) })
}

// share performs a lookup, together with other sessions that need the same. If fresh, it does not join a lookup that is running.
func (s *Session) share(l lookup, fresh bool) (found answer, shared bool, err error) {
	c := s.client
	return c.group.do(s.ctx, l.key(), fresh, func(ctx context.Context) (answer, error) {
		// The timeout is not that of this session: other sessions may have more time left.
		ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
		found, err := c.retry(ctx, l)
		if err == nil {
			c.cache.put(l.key(), found)
		} else if l.wholeObject && isNotFound(err) {
			c.cache.put(l.key(), answer{notFound: err})
		}
		return found, err
	})
}

// reportFailure counts and logs a lookup that failed, and returns an error worded for the user. Once the session has run out of time,
// each kind of failure is reported once.
func (s *Session) reportFailure(resource string, err error) error {
	failure := newLookupError(err)
	s.lock.Lock()
	reported := s.reported[resource+failure.reason]
	s.reported[resource+failure.reason] = true
	s.lock.Unlock()
	if !reported || s.ctx.Err() == nil {
		s.client.options.Metrics.errors.WithLabelValues(resource, failure.reason).Inc()
		s.client.options.Log.Error(err, "lookup failed", "resource", resource, "reason", failure.reason)
	}
	return failure
}
