package webhook

import (
	"sync"
	"time"
)

// cache keeps answers for a few seconds, so that a burst of runs asks the API server once. It is bounded by bytes:
// the oldest answers make room.
type cache struct {
	ttl time.Duration

	lock  sync.Mutex
	facts map[string]*cacheEntry
	queue []*cacheEntry // the oldest first, which is the first to expire as well
	bytes int
}

// cacheEntry is a fact in memory.
type cacheEntry struct {
	fact
	question string
	expires  time.Time
}

const (
	// maxCacheBytes bounds the bytes that memory takes up.
	maxCacheBytes = 32 << 20
	// maxEntryBytes is what one fact may take up of it.
	maxEntryBytes = 4 << 20
)

func newCache(ttl time.Duration) *cache {
	return &cache{ttl: ttl, facts: map[string]*cacheEntry{}}
}

func (m *cache) get(question string) (fact, bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.forget(0)
	if r, ok := m.facts[question]; ok {
		return r.fact, true
	}
	return fact{}, false
}

// keep remembers a fact. One that would crowd out the others is not kept.
func (m *cache) keep(question string, f fact) {
	f.bytes += 200 + 2*len(question) // its keys, if it has any, stand in the question
	if f.bytes > maxEntryBytes {
		return
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	m.forget(f.bytes)
	r := &cacheEntry{f, question, time.Now().Add(m.ttl)}
	m.facts[question] = r
	m.queue = append(m.queue, r)
	m.bytes += f.bytes
}

// forget drops what has expired, and as many of the oldest facts as it takes to make room.
func (m *cache) forget(room int) {
	for now := time.Now(); len(m.queue) > 0; {
		oldest := m.queue[0]
		if now.Before(oldest.expires) && m.bytes+room <= maxCacheBytes {
			return
		}
		m.queue[0] = nil
		m.queue = m.queue[1:]
		m.bytes -= oldest.bytes
		if m.facts[oldest.question] == oldest { // and not one that is newer
			delete(m.facts, oldest.question)
		}
	}
}
