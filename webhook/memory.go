package webhook

import (
	"sync"
	"time"
)

// memory keeps answers for a few seconds, so that a burst of runs asks the API server once. It is bounded by bytes:
// the oldest answers make room.
type memory struct {
	ttl time.Duration

	lock  sync.Mutex
	facts map[string]*remembered
	queue []*remembered // the oldest first, which is the first to expire as well
	bytes int
}

// remembered is a fact in memory.
type remembered struct {
	fact
	question string
	expires  time.Time
}

const (
	// maxRemembered bounds the bytes that memory takes up.
	maxRemembered = 32 << 20
	// maxFact is what one fact may take up of it.
	maxFact = 4 << 20
)

func newMemory(ttl time.Duration) *memory {
	return &memory{ttl: ttl, facts: map[string]*remembered{}}
}

func (m *memory) get(question string) (fact, bool) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.forget(0)
	if r, ok := m.facts[question]; ok {
		return r.fact, true
	}
	return fact{}, false
}

// keep remembers a fact. One that would crowd out the others is not kept.
func (m *memory) keep(question string, f fact) {
	f.bytes += 200 + 2*len(question) // its keys, if it has any, stand in the question
	if f.bytes > maxFact {
		return
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	m.forget(f.bytes)
	r := &remembered{f, question, time.Now().Add(m.ttl)}
	m.facts[question] = r
	m.queue = append(m.queue, r)
	m.bytes += f.bytes
}

// forget drops what has expired, and as many of the oldest facts as it takes to make room.
func (m *memory) forget(room int) {
	for now := time.Now(); len(m.queue) > 0; {
		oldest := m.queue[0]
		if now.Before(oldest.expires) && m.bytes+room <= maxRemembered {
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
