package faultconn

import (
	"sync"
	"time"
)

// gate is where one direction of a connection is held. It knows the deadline,
// which the wrapped connection does not tell.
type gate struct {
	mu       sync.Mutex
	deadline time.Time
	moved    chan struct{} // closed when the deadline moves; nil while nobody waits
}

func (g *gate) set(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	if g.moved != nil {
		close(g.moved)
		g.moved = nil
	}
}

// expired reports whether the deadline has passed.
func (g *gate) expired() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.deadline.IsZero() && !time.Now().Before(g.deadline)
}

func (g *gate) watch() (deadline time.Time, moved <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.moved == nil {
		g.moved = make(chan struct{})
	}
	return g.deadline, g.moved
}

// An outcome is why a wait ended.
type outcome int

const (
	due       outcome = iota // its time has come
	expired                  // the deadline came first
	ended                    // the connection was closed or broken
	replanned                // another plan is in force
)

// wait waits until the given time, or for ever if that is zero.
func (g *gate) wait(until time.Time, end <-chan struct{}, h *handover) outcome {
	changed := h.watch()
	defer h.unwatch(changed)
	var timer *time.Timer
	for {
		deadline, moved := g.watch()
		now := time.Now()
		if !deadline.IsZero() && !now.Before(deadline) {
			return expired
		}
		if !until.IsZero() && !now.Before(until) {
			return due
		}
		next := until
		if next.IsZero() || !deadline.IsZero() && deadline.Before(next) {
			next = deadline
		}
		var fire <-chan time.Time
		if !next.IsZero() {
			if timer == nil {
				timer = time.NewTimer(next.Sub(now))
				defer timer.Stop()
			} else {
				timer.Reset(next.Sub(now))
			}
			fire = timer.C
		}
		select {
		case <-fire:
		case <-moved:
		case <-changed:
			return replanned
		case <-end:
			return ended
		}
	}
}
