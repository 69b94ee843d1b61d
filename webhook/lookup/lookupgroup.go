package lookup

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// lookupGroup lets reviews that need the same lookup at the same time share one request. Unlike golang.org/x/sync/singleflight, it can
// refuse an answer that was requested before the caller asked, and it cancels a request once no caller waits for it.
type lookupGroup struct {
	lock sync.Mutex
	// running are the newest lookups in flight, by key; queued are those that start after them.
	running, queued map[string]*sharedLookup
}

// shareWindow is how long a running lookup can be joined, and delays the next one with its key. One that takes longer may never return.
const shareWindow = 250 * time.Millisecond

// sharedLookup is one lookup with all callers that wait for it.
type sharedLookup struct {
	key     string
	ctx     context.Context // ends when the last waiter leaves
	cancel  context.CancelFunc
	waiters int
	started time.Time
	done    chan struct{}
	answer  answer
	err     error
}

// do returns the answer to the lookup with this key, by calling read. A caller that does not ask for a fresh answer shares the
// lookup that is running, if there is one. A caller that does must not: the running lookup started before the caller asked and may
// have missed the latest change. Such callers share the next lookup. shared says that the answer may be older than the call. The
// error is that of ctx if it ends first.
func (g *lookupGroup) do(ctx context.Context, key string, fresh bool, read readFunc) (found answer, shared bool, err error) {
	l, shared := g.join(ctx, key, fresh, read)
	defer g.leave(l)
	select {
	case <-ctx.Done():
		return answer{}, shared, ctx.Err()
	case <-l.done:
		return l.answer, shared, l.err
	}
}

// readFunc performs a lookup.
type readFunc func(context.Context) (answer, error)

// join returns the lookup to wait for, and starts one if necessary.
func (g *lookupGroup) join(ctx context.Context, key string, fresh bool, read readFunc) (l *sharedLookup, shared bool) {
	g.lock.Lock()
	defer g.lock.Unlock()
	if g.running == nil {
		g.running, g.queued = map[string]*sharedLookup{}, map[string]*sharedLookup{}
	}
	previous := g.running[key]
	if !fresh && previous != nil && time.Since(previous.started) < shareWindow {
		previous.waiters++
		return previous, true
	}
	l = g.queued[key]
	if l == nil {
		l = &sharedLookup{key: key, done: make(chan struct{})}
		l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
		g.queued[key] = l
		go g.run(l, previous, read)
	}
	l.waiters++
	return l, false
}

// run performs a lookup once the previous one is done or its shareWindow is over, and wakes the waiters.
func (g *lookupGroup) run(l, previous *sharedLookup, read readFunc) {
	if previous != nil {
		select {
		case <-previous.done:
		case <-time.After(time.Until(previous.started.Add(shareWindow))):
		case <-l.ctx.Done():
		}
	}
	g.lock.Lock()
	if l.waiters == 0 {
		g.lock.Unlock()
		return
	}
	delete(g.queued, l.key)
	g.running[l.key], l.started = l, time.Now()
	g.lock.Unlock()

	defer func() {
		if p := recover(); p != nil {
			l.answer, l.err = answer{}, &panicError{p, debug.Stack()}
		}
		g.lock.Lock()
		defer g.lock.Unlock()
		g.remove(l)
		close(l.done)
	}()
	l.answer, l.err = read(l.ctx)
}

// leave ends a wait. When the last waiter leaves, the lookup is cancelled.
func (g *lookupGroup) leave(l *sharedLookup) {
	g.lock.Lock()
	defer g.lock.Unlock()
	if l.waiters--; l.waiters == 0 {
		l.cancel()
		g.remove(l)
	}
}

// remove makes a lookup unavailable to new callers.
func (g *lookupGroup) remove(l *sharedLookup) {
	for _, lookups := range []map[string]*sharedLookup{g.running, g.queued} {
		if lookups[l.key] == l {
			delete(lookups, l.key)
		}
	}
}
