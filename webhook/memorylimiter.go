package webhook

import (
	"context"
	"math"
	"runtime/debug"

	"golang.org/x/sync/semaphore"
)

// memoryLimiter bounds the memory that reviews take up together: a burst of large Workflows waits instead of ending the process. Bodies come
// before objects, so that nobody who holds what the other one needs waits for what he holds himself.
type memoryLimiter struct{ bodies, objects *byteSemaphore }

// newMemoryLimiter shares out a memory limit in bytes. What is left of it is for what does not grow: the program, what is remembered, and the
// collector's slack.
func newMemoryLimiter(limit int64) memoryLimiter {
	if limit == math.MaxInt64 {
		limit = 100 << 20 // nobody has set one
	}
	return memoryLimiter{bodies: newByteSemaphore(max(limit/8, maxBody)), objects: newByteSemaphore(limit * 3 / 10)}
}

// memoryLimit is GOMEMLIMIT, or what was set in its place.
func memoryLimit() int64 { return debug.SetMemoryLimit(-1) }

// byteSemaphore is an amount of memory that can be had in parts.
type byteSemaphore struct {
	total  int64
	free *semaphore.Weighted
}

func newByteSemaphore(bytes int64) *byteSemaphore { return &byteSemaphore{bytes, semaphore.NewWeighted(bytes)} }

// Acquire waits for bytes, at the most for all there are, and returns what gives them back. The error is that of ctx.
func (s *byteSemaphore) Acquire(ctx context.Context, bytes int64) (giveBack func(), err error) {
	bytes = min(bytes, s.total)
	if err := s.free.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	return func() { s.free.Release(bytes) }, nil
}
