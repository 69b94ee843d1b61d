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

const memorySize = 10_000

func newMemory(ttl time.Duration) *memory {
	return &memory{answers: cache.NewLRUExpireCache(memorySize), ttl: ttl}
}

func (m *memory) get(key string) (any, bool)  { return m.answers.Get(key) }
func (m *memory) keep(key string, answer any) { m.answers.Add(key, answer, m.ttl) }
