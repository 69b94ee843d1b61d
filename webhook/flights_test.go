package webhook

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// TestFlights has questions that are asked while a lookup is under way. Whoever insists on a fresh answer never gets one that
// was on its way before they asked; all of them together cost one more lookup.
func TestFlights(t *testing.T) {
	var f lookupGroup
	var lookups int
	release := make(chan bool)
	begun := make(chan int, 10)
	read := func(context.Context) (fact, error) {
		lookups++
		mine := lookups
		begun <- mine
		<-release
		return fact{answer: mine}, nil
	}
	type result struct {
		answer any
		shared bool
	}
	results := map[string]result{}
	var lock sync.Mutex
	var group sync.WaitGroup
	ask := func(name string, fresh bool) {
		group.Add(1)
		go func() {
			defer group.Done()
			found, shared, err := f.do(context.Background(), "q", fresh, read)
			if err != nil {
				t.Error(err)
			}
			lock.Lock()
			defer lock.Unlock()
			results[name] = result{found.answer, shared}
		}()
	}
	ask("first", false)
	<-begun
	ask("any", false)
	ask("fresh", true)
	ask("as fresh", true)
	time.Sleep(20 * time.Millisecond) // until they wait
	release <- true
	<-begun
	ask("fresher", true)
	time.Sleep(20 * time.Millisecond)
	release <- true
	<-begun
	release <- true
	group.Wait()
	for name, want := range map[string]result{
		"first": {1, false}, "any": {1, true}, "fresh": {2, false}, "as fresh": {2, false}, "fresher": {3, false},
	} {
		if results[name] != want {
			t.Errorf("%s: %+v, want %+v", name, results[name], want)
		}
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	if lookups != 3 {
		t.Errorf("%d lookups", lookups)
	}
}

// TestFlightsEnd has waiters that run out of time, and a lookup that panics.
func TestFlightsEnd(t *testing.T) {
	var f lookupGroup
	release := make(chan bool)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := f.do(ctx, "slow", true, func(context.Context) (fact, error) { <-release; return fact{}, nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(release)
	if _, _, err := f.do(t.Context(), "broken", true, func(context.Context) (fact, error) { panic("oh") }); err == nil {
		t.Error("a panic is an answer")
	}
	if found, _, err := f.do(t.Context(), "broken", true, func(context.Context) (fact, error) { return fact{answer: 1}, nil }); err != nil || found.answer != 1 {
		t.Error(found, err)
	}
}
