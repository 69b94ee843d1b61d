package lookup

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// TestLookupGroup has callers join while a lookup is running. Callers that want a fresh answer must not get that of the running lookup;
// together they start one more.
func TestLookupGroup(t *testing.T) {
	var group lookupGroup
	var lookups int
	release := make(chan bool)
	started := make(chan int, 10)
	read := func(context.Context) (answer, error) {
		lookups++
		number := lookups
		started <- number
		<-release
		return answer{value: number}, nil
	}
	type result struct {
		value  any
		shared bool
	}
	results := map[string]result{}
	var lock sync.Mutex
	var callers sync.WaitGroup
	call := func(name string, fresh bool) {
		callers.Add(1)
		go func() {
			defer callers.Done()
			found, shared, err := group.do(context.Background(), "q", fresh, read)
			if err != nil {
				t.Error(err)
			}
			lock.Lock()
			defer lock.Unlock()
			results[name] = result{found.value, shared}
		}()
	}
	call("first", false)
	<-started
	call("any age", false)
	call("fresh", true)
	call("also fresh", true)
	time.Sleep(20 * time.Millisecond) // until they have joined
	release <- true
	<-started
	call("fresh again", true)
	time.Sleep(20 * time.Millisecond)
	release <- true
	<-started
	release <- true
	callers.Wait()
	for name, want := range map[string]result{
		"first": {1, false}, "any age": {1, true}, "fresh": {2, false}, "also fresh": {2, false}, "fresh again": {3, false},
	} {
		if results[name] != want {
			t.Errorf("%s: %+v, want %+v", name, results[name], want)
		}
	}
	group.lock.Lock()
	defer group.lock.Unlock()
	if lookups != 3 {
		t.Errorf("%d lookups, want 3", lookups)
	}
}

// TestLookupGroupFailures has a caller that runs out of time, and a lookup that panics. Later lookups must work.
func TestLookupGroupFailures(t *testing.T) {
	var group lookupGroup
	release := make(chan bool)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	slow := func(context.Context) (answer, error) { <-release; return answer{}, nil }
	if _, _, err := group.do(ctx, "slow", true, slow); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(release)
	if _, _, err := group.do(t.Context(), "broken", true, func(context.Context) (answer, error) { panic("broken") }); err == nil {
		t.Error("a panic is not an error")
	}
	works := func(context.Context) (answer, error) { return answer{value: 1}, nil }
	if found, _, err := group.do(t.Context(), "broken", true, works); err != nil || found.value != 1 {
		t.Error(found, err)
	}
}
