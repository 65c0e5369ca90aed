package faultconn

import (
	"sync"
	"time"
)

// handover wakes those whom rules hold when another plan takes over, to see which
// of the rules go on. Each has a channel of its own, which is not known here for
// longer than it waits: a channel made in a bubble of testing/synctest must not be
// touched from outside, and a plan may outlive many bubbles.
type handover struct {
	mu      sync.Mutex
	over    bool
	waiting map[chan struct{}]struct{}
}

// watch closes the channel when another plan takes over.
func (h *handover) watch(changed chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		close(changed)
		return
	}
	if h.waiting == nil {
		h.waiting = map[chan struct{}]struct{}{}
	}
	h.waiting[changed] = struct{}{}
}

// unwatch reports whether the channel is still open. From now on it stays so.
func (h *handover) unwatch(changed chan struct{}) (open bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, open = h.waiting[changed]
	delete(h.waiting, changed)
	return open
}

func (h *handover) announce() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	for changed := range h.waiting {
		close(changed)
	}
	h.waiting = nil
}

// waiter is what a wait needs, kept for the next one.
type waiter struct {
	timer   *time.Timer
	plan    *handover     // that knows of changed; nil for none
	changed chan struct{} // closed when another plan takes over from that one
}

// watch returns a channel that is closed when another plan takes over from this
// one.
func (w *waiter) watch(p *compiled) <-chan struct{} {
	if p == nil {
		w.unwatch()
		return nil // no rule holds anything
	}
	if w.plan != p.handover {
		w.unwatch()
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		w.plan = p.handover
		w.plan.watch(w.changed)
	}
	return w.changed
}

func (w *waiter) unwatch() {
	if w.plan != nil && !w.plan.unwatch(w.changed) {
		w.changed = nil
	}
	w.plan = nil
}

// after returns a channel that has a value after d.
func (w *waiter) after(d time.Duration) <-chan time.Time {
	if w.timer == nil {
		w.timer = time.NewTimer(d)
	} else {
		w.timer.Reset(d)
	}
	return w.timer.C
}

func (w *waiter) stop() {
	w.unwatch()
	if w.timer != nil {
		w.timer.Stop()
	}
}
