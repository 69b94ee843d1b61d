package lookup

import (
	"sync"
	"time"
)

// cache keeps answers for a few seconds, so that a burst of runs needs one request to the API server. Its size is bounded in bytes; the
// oldest entries are evicted.
type cache struct {
	ttl time.Duration

	lock    sync.Mutex
	entries map[string]*cacheEntry
	queue   []*cacheEntry // the oldest first, which is also the first to expire
	bytes   int
}

// cacheEntry is a cached answer.
type cacheEntry struct {
	answer
	key     string
	expires time.Time
}

const (
	// maxCacheBytes bounds the memory of all entries.
	maxCacheBytes = 32 << 20
	// maxEntryBytes bounds the memory of one entry.
	maxEntryBytes = 4 << 20
)

func newCache(ttl time.Duration) *cache {
	return &cache{ttl: ttl, entries: map[string]*cacheEntry{}}
}

func (c *cache) get(key string) (answer, bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.evict(0)
	if e, ok := c.entries[key]; ok {
		return e.answer, true
	}
	return answer{}, false
}

// put caches an answer, unless it exceeds maxEntryBytes and would evict too many others.
func (c *cache) put(key string, a answer) {
	a.bytes += 200 + 2*len(key) // the names of a Secret's keys are part of the key
	if a.bytes > maxEntryBytes {
		return
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.evict(a.bytes)
	e := &cacheEntry{a, key, time.Now().Add(c.ttl)}
	c.entries[key] = e
	c.queue = append(c.queue, e)
	c.bytes += a.bytes
}

// evict drops the expired entries, and as many of the oldest ones as needed bytes require.
func (c *cache) evict(needed int) {
	for now := time.Now(); len(c.queue) > 0; {
		oldest := c.queue[0]
		if now.Before(oldest.expires) && c.bytes+needed <= maxCacheBytes {
			return
		}
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.bytes -= oldest.bytes
		if c.entries[oldest.key] == oldest { // and not a newer entry
			delete(c.entries, oldest.key)
		}
	}
}
