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
	moves    int
	moved    chan struct{} // closed when the deadline moves; nil while nobody waits
}

func (g *gate) set(t time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deadline = t
	g.moves++
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

// count is how often the deadline has been set.
func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.moves
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
	due     outcome = iota // there is nothing more to wait for
	expired                // the deadline came first
	ended                  // the connection was closed or broken
	arrived                // there is something in more
)

// wait waits for as long as h says, or until there is something in more.
func (g *gate) wait(inj *Injector, h *hold, end, more <-chan struct{}) outcome {
	var timer *time.Timer
	for {
		changed, unwatch := inj.changed()
		until := h.until() // the rules may have changed since it was asked last
		deadline, moved := g.watch()
		now := time.Now()
		switch {
		case !deadline.IsZero() && !now.Before(deadline):
			unwatch()
			return expired
		case !h.effect.Hang && !now.Before(until):
			unwatch()
			return due
		case h.effect.Hang, !deadline.IsZero() && deadline.Before(until):
			until = deadline
		}
		var fire <-chan time.Time
		if !until.IsZero() {
			if timer == nil {
				timer = time.NewTimer(until.Sub(now))
				defer timer.Stop()
			} else {
				timer.Reset(until.Sub(now))
			}
			fire = timer.C
		}
		select {
		case <-fire:
		case <-moved:
		case <-changed:
		case <-end:
			unwatch()
			return ended
		case <-more:
			unwatch()
			return arrived
		}
		unwatch()
	}
}
