package adaptive

import (
	"math"
	"time"
)

const (
	tick = 100 * time.Millisecond

	// deepest is how much of the measured rate is left, however high a signal
	// that is not proportional: latency says little about how much is too much.
	deepest = 0.5

	// How much the rate grows during one interval that clients are told: with
	// a signal that says what it could be, and with those that only say that
	// there is room.
	quick, slow = 1.0, 0.1

	// calm is the shortest interval for that purpose.
	calm = 10 * time.Second
)

// rate is how many requests a second the service is thought to bear.
type rate struct {
	config *Config
	now    float64 // may be infinite
}

func newRate(c *Config) rate {
	r := rate{config: c, now: math.Inf(1)}
	if c.Rate > 0 {
		r.now = c.Rate
	}
	return r
}

// signals are what is known of the load, each with 1 for what can be borne; 0
// for those that are not configured.
type signals struct {
	proportional, others float64
}

// update corrects the rate: measured is the requests a second at present,
// interval what clients are told, elapsed the time since the last update.
func (r *rate) update(measured float64, s signals, interval, elapsed time.Duration) {
	if s.proportional > 1 || s.others > 1 {
		if s.proportional > 1 {
			r.now = min(r.now, measured/s.proportional)
		}
		if s.others > 1 {
			r.now = min(r.now, measured*max(1/s.others, deepest))
		}
		r.now = max(r.now, 1/r.config.Max.Seconds()) // one appointment at least
		return
	}
	c := r.config
	grow, most := quick, math.Inf(1)
	if c.InFlight > 0 || c.Latency > 0 {
		grow = slow
	}
	if c.Load != nil && s.proportional > 0 {
		most = measured / s.proportional
	}
	grown := r.now * (1 + grow*elapsed.Seconds()/max(interval, calm).Seconds())
	r.now = max(r.now, min(grown, most))
	if c.Rate > 0 {
		r.now = min(r.now, c.Rate)
	}
}
