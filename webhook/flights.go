package webhook

import (
	"context"
	"sync"
)

// flights let reviews that ask the same question at the same time share one lookup.
type flights struct {
	lock sync.Mutex
	open map[string]*runway
}

// runway has the lookups of one question: the one that is under way, and the one that comes after it, if anybody waits
// for that.
type runway struct {
	flying, next *flight
}

type flight struct {
	done   chan struct{}
	read   func() (any, error)
	answer any
	err    error
}

// do answers a question by a lookup. Whoever does not insist on a fresh answer shares the lookup that is under way, if
// there is one. Whoever does must not: it has begun before they asked, and may have missed what has come since; they
// share the next one. shared says that the answer may be older than the question. The error is that of ctx if it ends first.
func (f *flights) do(ctx context.Context, question string, fresh bool, read func() (any, error)) (answer any, shared bool, err error) {
	f.lock.Lock()
	if f.open == nil {
		f.open = map[string]*runway{}
	}
	r := f.open[question]
	var mine *flight
	switch {
	case r == nil:
		mine = &flight{done: make(chan struct{}), read: read}
		r = &runway{flying: mine}
		f.open[question] = r
		go f.fly(question, r)
	case !fresh:
		mine, shared = r.flying, true
	default:
		if r.next == nil {
			r.next = &flight{done: make(chan struct{}), read: read}
		}
		mine = r.next
	}
	f.lock.Unlock()
	select {
	case <-ctx.Done():
		return nil, shared, ctx.Err()
	case <-mine.done:
		return mine.answer, shared, mine.err
	}
}

// land does the lookup of a flight and tells those who wait. A panic is an answer that could not be had.
func (f *flight) land() {
	defer close(f.done)
	defer func() {
		if recover() != nil {
			f.answer, f.err = nil, errBug
		}
	}()
	f.err = errBug // unless read comes back
	f.answer, f.err = f.read()
}

// fly does the lookups of a runway, until nobody waits for another one.
func (f *flights) fly(question string, r *runway) {
	for {
		r.flying.land()
		f.lock.Lock()
		if r.next == nil {
			delete(f.open, question)
			f.lock.Unlock()
			return
		}
		r.flying, r.next = r.next, nil
		f.lock.Unlock()
	}
}
