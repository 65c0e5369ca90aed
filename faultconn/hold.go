package faultconn

import (
	"slices"
	"time"
)

// hold is an operation, or a piece of one, whose effect has yet to take place.
// Each rule has its part in it, which ends with the rule.
type hold struct {
	on      bool // false: nothing is held
	effect  Effect
	by      *rule // who ends or changes the operation
	began   time.Time
	arrived time.Time // from which latency counts
	delays  []delay
	rated   *rule
	paced   time.Time // until when the rate holds it

	data []byte // of a Read: a Write keeps what it has not sent
	end  bool   // the end of the stream, rather than data
}

// delay is the part that one rule has in a delay.
type delay struct {
	by      *rule
	long    time.Duration
	latency bool // counted from the arrival; the others add to it
}

// hold begins to hold what the verdict is about, and what has arrived at that
// time; zero for now.
func (d *verdict) hold(arrived time.Time) hold {
	h := hold{on: true, effect: d.effect, by: d.by, arrived: arrived, delays: d.delays}
	if len(d.delays) > 0 {
		h.began = time.Now()
		if arrived.IsZero() {
			h.arrived = h.began
		}
	}
	if d.rate != nil && d.n > 0 {
		h.rated, h.paced = d.rated, d.rate.take(d.n, d.effect.Rate)
	}
	return h
}

// waits reports whether the effect does not take place at once.
func (h *hold) waits() bool { return h.effect.Hang || len(h.delays) > 0 || h.rated != nil }

// late reports whether it is latency that the hold still waits for.
func (h *hold) late() bool {
	return slices.ContainsFunc(h.delays, func(d delay) bool { return d.latency }) && time.Now().Before(h.until())
}

// until drops the parts of rules that are no longer in force, and returns the
// time for which the others hold; zero for no time. A hang has no end.
func (h *hold) until() time.Time {
	if h.by != nil && h.by.over.Load() && h.effect.ends() {
		h.effect, h.by = Effect{}, nil
	}
	if h.rated != nil && h.rated.over.Load() {
		h.rated = nil
	}
	h.delays = slices.DeleteFunc(h.delays, func(d delay) bool { return d.by.over.Load() })
	var t time.Time
	if len(h.delays) > 0 {
		var latency, delay time.Duration
		for _, d := range h.delays {
			if d.latency {
				latency += d.long
			} else {
				delay += d.long
			}
		}
		t = later(h.began, h.arrived.Add(latency)).Add(delay)
	}
	if h.rated != nil {
		t = later(t, h.paced)
	}
	return t
}
