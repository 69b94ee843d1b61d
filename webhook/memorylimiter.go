package webhook

import (
	"context"
	"math"
	"runtime/debug"

	"golang.org/x/sync/semaphore"
)

// memoryLimiter bounds the memory of all reviews together: a burst of large Workflows waits instead of getting the process killed. A
// review acquires memory for its body before memory for its object, and never the other way round, so that no two of them wait for
// each other.
type memoryLimiter struct{ bodies, objects *byteSemaphore }

// newMemoryLimiter divides a memory limit in bytes. The rest is for what does not grow with the number of reviews: the program,
// the cache of lookups, and garbage that has not been collected.
func newMemoryLimiter(limit int64) memoryLimiter {
	if limit == math.MaxInt64 {
		limit = 100 << 20 // no limit is set
	}
	return memoryLimiter{bodies: newByteSemaphore(max(limit/8, maxBody)), objects: newByteSemaphore(limit * 3 / 10)}
}

// memoryLimit returns the soft memory limit in bytes: GOMEMLIMIT, unless the program has changed it.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }

// byteSemaphore is an amount of memory, in bytes, of which reviews acquire parts.
type byteSemaphore struct {
	total int64
	free  *semaphore.Weighted
}

func newByteSemaphore(bytes int64) *byteSemaphore {
	return &byteSemaphore{bytes, semaphore.NewWeighted(bytes)}
}

// Acquire waits until bytes are free, or the total if that is less. The caller must call release. The error is that of ctx.
func (s *byteSemaphore) Acquire(ctx context.Context, bytes int64) (release func(), err error) {
	bytes = min(bytes, s.total)
	if err := s.free.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	return func() { s.free.Release(bytes) }, nil
}
