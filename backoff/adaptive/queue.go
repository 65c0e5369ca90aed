package adaptive

import (
	"math/rand/v2"
	"time"
)

// queue is the queue of appointments.
type queue struct {
	min, max time.Duration
	last     time.Time // the last one given
}

// length is the interval that the next client would be told, but for Min.
func (q *queue) length(now time.Time) time.Duration {
	return min(max(q.last.Sub(now), 0), q.max)
}

// next gives an appointment to a client and returns when it is, from now; 0 if
// it may come when it likes. rate may be infinite.
func (q *queue) next(now time.Time, rate float64) time.Duration {
	at := q.last.Add(time.Duration(float64(time.Second) / rate))
	if soonest := now.Add(q.min); !at.After(soonest) {
		q.last = soonest
		return 0
	}
	if latest := now.Add(q.max); at.After(latest) {
		q.last = latest
		return q.max - time.Duration(rand.Float64()*float64(q.max-q.min)/2)
	}
	q.last = at
	return at.Sub(now)
}
