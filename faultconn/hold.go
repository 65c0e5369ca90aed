package faultconn

import (
	"slices"
	"time"
)

// hold is an operation, or a piece of one, whose effect has yet to take place.
// Each rule has its part in it, which ends with the rule.
type hold struct {
	on     bool // false: nothing is held
	effect Effect
	by     *rule // who ends or changes the operation
	began  time.Time
	delays []delay
	rated  *rule
	paced  time.Time // until when the rate holds it

	data []byte // of a Read: a Write keeps what it has not sent
	end  bool   // the end of the stream, rather than data
}

// delay is the part that one rule has in a delay.
type delay struct {
	by   *rule
	long time.Duration
}

// hold begins to hold what the verdict is about.
func (d *verdict) hold() hold {
	h := hold{on: true, effect: d.effect, by: d.by, delays: d.delays}
	if len(d.delays) > 0 {
		h.began = time.Now()
	}
	if d.rate != nil && d.n > 0 {
		h.rated, h.paced = d.rated, d.rate.take(d.n, d.effect.Rate)
	}
	return h
}

// waits reports whether the effect does not take place at once.
func (h *hold) waits() bool { return h.effect.Hang || len(h.delays) > 0 || h.rated != nil }

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
		t = h.began
		for _, d := range h.delays {
			t = t.Add(d.long)
		}
	}
	if h.rated != nil {
		t = later(t, h.paced)
	}
	return t
}
