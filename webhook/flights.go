package webhook

import (
	"context"
	"runtime/debug"
	"sync"
	"time"
)

// flights let reviews that ask the same question at the same time share one lookup.
type flights struct {
	lock sync.Mutex
	// begun are the lookups under way, the last one of each question; next are those that come after them.
	begun, next map[string]*flight
}

// patience is how long a lookup keeps others of its question from beginning. One that takes longer may never come back.
const patience = 250 * time.Millisecond

// flight is one lookup.
type flight struct {
	question string
	ctx      context.Context // ends when nobody waits any more
	cancel   context.CancelFunc
	waiting  int
	began    time.Time
	done     chan struct{}
	fact     fact
	err      error
}

// do answers a question by a lookup. Whoever does not insist on a fresh answer shares the lookup that is under way, if
// there is one. Whoever does must not: it has begun before they asked, and may have missed what has come since; they
// share the next one. shared says that the answer may be older than the question. The error is that of ctx if it ends first.
func (f *flights) do(ctx context.Context, question string, fresh bool, read func(context.Context) (fact, error)) (answer fact, shared bool, err error) {
	mine, shared := f.board(ctx, question, fresh, read)
	defer f.leave(mine)
	select {
	case <-ctx.Done():
		return fact{}, shared, ctx.Err()
	case <-mine.done:
		return mine.fact, shared, mine.err
	}
}

// board finds the flight to wait for.
func (f *flights) board(ctx context.Context, question string, fresh bool, read func(context.Context) (fact, error)) (mine *flight, shared bool) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.begun == nil {
		f.begun, f.next = map[string]*flight{}, map[string]*flight{}
	}
	last := f.begun[question]
	if !fresh && last != nil && time.Since(last.began) < patience {
		last.waiting++
		return last, true
	}
	mine = f.next[question]
	if mine == nil {
		mine = &flight{question: question, done: make(chan struct{})}
		mine.ctx, mine.cancel = context.WithCancel(context.WithoutCancel(ctx))
		f.next[question] = mine
		go f.fly(mine, last, read)
	}
	mine.waiting++
	return mine, false
}

// fly does a lookup when the last one is over, or has had its time, and tells those who wait.
func (f *flights) fly(mine, last *flight, read func(context.Context) (fact, error)) {
	if last != nil {
		select {
		case <-last.done:
		case <-time.After(time.Until(last.began.Add(patience))):
		case <-mine.ctx.Done():
		}
	}
	f.lock.Lock()
	if mine.waiting == 0 {
		f.lock.Unlock()
		return
	}
	delete(f.next, mine.question)
	f.begun[mine.question], mine.began = mine, time.Now()
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
func (f *flights) leave(mine *flight) {
	f.lock.Lock()
	defer f.lock.Unlock()
	if mine.waiting--; mine.waiting == 0 {
		mine.cancel()
		f.forget(mine)
	}
}

// forget lets nobody board a flight any more.
func (f *flights) forget(mine *flight) {
	for _, open := range []map[string]*flight{f.begun, f.next} {
		if open[mine.question] == mine {
			delete(open, mine.question)
		}
	}
}
