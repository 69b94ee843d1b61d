package lookup

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// TestLookupGroup asks while a lookup is running. A caller that wants a fresh answer never gets one that was requested before the caller
// asked; all such callers together cost one more lookup.
func TestLookupGroup(t *testing.T) {
	var f lookupGroup
	var lookups int
	release := make(chan bool)
	started := make(chan int, 10)
	read := func(context.Context) (answer, error) {
		lookups++
		mine := lookups
		started <- mine
		<-release
		return answer{value: mine}, nil
	}
	type result struct {
		value  any
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
			results[name] = result{found.value, shared}
		}()
	}
	ask("first", false)
	<-started
	ask("any", false)
	ask("fresh", true)
	ask("as fresh", true)
	time.Sleep(20 * time.Millisecond) // until they wait
	release <- true
	<-started
	ask("fresher", true)
	time.Sleep(20 * time.Millisecond)
	release <- true
	<-started
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

// TestLookupGroupFailures has waiters that run out of time, and a lookup that panics.
func TestLookupGroupFailures(t *testing.T) {
	var f lookupGroup
	release := make(chan bool)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	slow := func(context.Context) (answer, error) { <-release; return answer{}, nil }
	if _, _, err := f.do(ctx, "slow", true, slow); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(release)
	if _, _, err := f.do(t.Context(), "broken", true, func(context.Context) (answer, error) { panic("oh") }); err == nil {
		t.Error("a panic is an answer")
	}
	works := func(context.Context) (answer, error) { return answer{value: 1}, nil }
	if found, _, err := f.do(t.Context(), "broken", true, works); err != nil || found.value != 1 {
		t.Error(found, err)
	}
}
