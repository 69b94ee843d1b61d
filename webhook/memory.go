package webhook

import (
	"time"

	"k8s.io/apimachinery/pkg/util/cache"
)

// memory keeps positive answers for a few seconds, so that a burst of runs asks the API server once. It is bounded: the
// least used answer makes room.
type memory struct {
	answers *cache.LRUExpireCache
	ttl     time.Duration
}

// How many answers are kept: names are short, objects may have up to a MiB each.
const (
	smallKept = 10_000
	largeKept = 64
)

func newMemory(size int, ttl time.Duration) *memory {
	return &memory{answers: cache.NewLRUExpireCache(size), ttl: ttl}
}

func (m *memory) get(key string) (any, bool)  { return m.answers.Get(key) }
func (m *memory) keep(key string, answer any) { m.answers.Add(key, answer, m.ttl) }
