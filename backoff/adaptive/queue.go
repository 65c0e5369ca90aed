package adaptive

import (
	"math/rand/v2"
	"time"
)

// queue is the queue of appointments.
type queue struct {
	min, max time.Duration // of what clients are told
	jitter   float64       // the share that they add at most
	stretch  float64       // what they make of it, on average, over what they are told
	last     time.Time     // the last appointment given: when the client will come
	rng      *rand.Rand
}

func newQueue(c *Config) queue {
	seed := c.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	return queue{rng: rand.New(rand.NewPCG(seed, 0)), min: c.Min, max: c.Max, jitter: c.Jitter, stretch: 1 + c.Jitter/2}
}

// length is the interval that the next client would be told, but for min.
func (q *queue) length(now time.Time) time.Duration {
	return min(max(q.told(q.last.Sub(now)), 0), q.max)
}

// told is what to tell a client so that it comes after d, and comes is the
// reverse.
func (q *queue) told(d time.Duration) time.Duration  { return time.Duration(float64(d) / q.stretch) }
func (q *queue) comes(d time.Duration) time.Duration { return time.Duration(float64(d) * q.stretch) }

// next gives an appointment to a client and returns what to tell it; 0 if it
// may come when it likes. rate may be infinite.
func (q *queue) next(now time.Time, rate float64) time.Duration {
	// No appointment is later than max, so no two need be further apart.
	at := q.last.Add(time.Duration(min(float64(time.Second)/rate, float64(q.comes(q.max)))))
	if soonest := now.Add(q.comes(q.min)); !at.After(soonest) {
		q.last = soonest
		return 0
	}
	if latest := now.Add(q.comes(q.max)); at.After(latest) {
		q.last = latest
		return q.max - time.Duration(q.rng.Float64()*float64(q.max-q.min)/2)
	}
	q.last = at
	return q.spread(q.told(at.Sub(now)))
}

// spread makes what a client is told shorter or longer by up to half of what
// the client's own jitter will add. The two together have no edges, and where
// a long wait's clients meet those of a shorter one, as after a crowd, edges
// would add up to waves.
func (q *queue) spread(d time.Duration) time.Duration {
	u := q.rng.Float64() - 0.5
	return min(max(d+time.Duration(u*q.jitter*float64(d)), q.min+1), q.max)
}
