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
	spare    *waiter       // nil for none
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

// last is the deadline, and how often one has been set.
func (g *gate) last() (deadline time.Time, moves int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.deadline, g.moves
}

// count is how often a deadline has been set.
func (g *gate) count() int {
	_, moves := g.last()
	return moves
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
	w := g.take()
	defer g.put(w)
	for {
		changed := w.watch(inj.plan.Load())
		until := h.until() // the rules may have changed since it was asked last
		deadline, moved := g.watch()
		now := time.Now()
		switch {
		case !deadline.IsZero() && !now.Before(deadline):
			return expired
		case !h.effect.Hang && !now.Before(until):
			return due
		case h.effect.Hang, !deadline.IsZero() && deadline.Before(until):
			until = deadline
		}
		var fire <-chan time.Time
		if !until.IsZero() {
			fire = w.after(until.Sub(now))
		}
		select {
		case <-fire:
		case <-moved:
		case <-changed:
		case <-end:
			return ended
		case <-more:
			return arrived
		}
	}
}

// take returns what the last wait has left, if no other has it.
func (g *gate) take() *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.spare
	if w == nil {
		w = new(waiter)
	}
	g.spare = nil
	return w
}

func (g *gate) put(w *waiter) {
	w.stop()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spare = w
}
