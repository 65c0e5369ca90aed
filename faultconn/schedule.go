package faultconn

import (
	"math"
	"sync"
	"time"
)

// schedule spaces data out to a rate. It keeps the absolute time at which the
// next byte is due, so that timers that fire late do not lower the rate.
type schedule struct {
	mu   sync.Mutex
	next time.Time
}

// credit is how far a schedule may lag behind and still catch up. It is more
// than timers and the garbage collector cost, and bounds the burst of a
// connection that has been idle.
const credit = 100 * time.Millisecond

// take reserves the time for n bytes and returns when they have passed.
func (s *schedule) take(n int, rate int64) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.next.IsZero() {
		s.next = now
	} else if behind := now.Sub(s.next); behind > credit {
		s.next = now.Add(-credit)
	}
	s.next = s.next.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return s.next
}

// quantum is how many bytes pass at once: ten milliseconds' worth, so that a
// large buffer trickles rather than jumps.
func quantum(rate int64) int { return int(min(max(1, rate/100), math.MaxInt32)) }

// schedule returns the one the effect's rate is kept by.
func (s *stake) schedule(e Effect, dir int) *schedule {
	if e.Shared {
		return &s.rate
	}
	return &s.rates[dir]
}
