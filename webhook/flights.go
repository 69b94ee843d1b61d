package webhook

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// lookupGroup let reviews that ask the same question at the same time share one lookup.
type lookupGroup struct {
	lock sync.Mutex
	// running are the lookups under way, the last one of each question; next are those that come after them.
	running, queued map[string]*sharedLookup
}

// shareWindow is how long a lookup keeps others of its question from beginning. One that takes longer may never come back.
const shareWindow = 250 * time.Millisecond

// sharedLookup is one lookup.
type sharedLookup struct {
	key string
	ctx      context.Context // ends when nobody waits any more
	cancel   context.CancelFunc
	waiters  int
	started    time.Time
	done     chan struct{}
	fact     fact
	err      error
}

// do answers a question by a lookup. Whoever does not insist on a fresh answer shares the lookup that is under way, if
// there is one. Whoever does must not: it has begun before they asked, and may have missed what has come since; they
// share the next one. shared says that the answer may be older than the question. The error is that of ctx if it ends first.
func (f *lookupGroup) do(ctx context.Context, question string, fresh bool, read func(context.Context) (fact, error)) (answer fact, shared bool, err error) {
	mine, shared := f.join(ctx, question, fresh, read)
	defer f.leave(mine)
	select {
	case <-ctx.Done():
		return fact{}, shared, ctx.Err()
	case <-mine.done:
		return mine.fact, shared, mine.err
	}
}

// join finds the flight to wait for.
func (f *lookupGroup) join(ctx context.Context, question string, fresh bool, read func(context.Context) (fact, error)) (mine *sharedLookup, shared bool) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.running == nil {
		f.running, f.queued = map[string]*sharedLookup{}, map[string]*sharedLookup{}
	}
	last := f.running[question]
	if !fresh && last != nil && time.Since(last.started) < shareWindow {
		last.waiters++
		return last, true
	}
	mine = f.queued[question]
	if mine == nil {
		mine = &sharedLookup{key: question, done: make(chan struct{})}
		mine.ctx, mine.cancel = context.WithCancel(context.WithoutCancel(ctx))
		f.queued[question] = mine
		go f.run(mine, last, read)
	}
	mine.waiters++
	return mine, false
}

// run does a lookup when the last one is over, or has had its time, and tells those who wait.
func (f *lookupGroup) run(mine, last *sharedLookup, read func(context.Context) (fact, error)) {
	if last != nil {
		select {
		case <-last.done:
		case <-time.After(time.Until(last.started.Add(shareWindow))):
		case <-mine.ctx.Done():
		}
	}
	f.lock.Lock()
	if mine.waiters == 0 {
		f.lock.Unlock()
		return
	}
	delete(f.queued, mine.key)
	f.running[mine.key], mine.started = mine, time.Now()
	f.lock.Unlock()

	defer func() {
		if p := recover(); p != nil {
			mine.fact, mine.err = fact{}, &bug{p, debug.Stack()}
		}
		f.lock.Lock()
		defer f.lock.Unlock()
		f.forget(mine)
		close(mine.done)
	}()
	mine.fact, mine.err = read(mine.ctx)
}

// leave is the end of a wait. The last one to leave ends the lookup: nobody would hear of its answer.
func (f *lookupGroup) leave(mine *sharedLookup) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if mine.waiters--; mine.waiters == 0 {
		mine.cancel()
		f.forget(mine)
	}
}

// forget lets nobody board a flight any more.
func (f *lookupGroup) forget(mine *sharedLookup) {
	for _, open := range []map[string]*sharedLookup{f.running, f.queued} {
		if open[mine.key] == mine {
			delete(open, mine.key)
		}
	}
}
