package faultconn

import "sync"

// handover wakes those whom rules hold when another plan takes over, to see which
// of the rules go on. Each waits on a channel of its own, which is gone when the wait is: a channel made in a
// bubble of testing/synctest must not be touched from outside, and a plan may
// outlive many bubbles.
type handover struct {
	mu      sync.Mutex
	over    bool
	waiting map[chan struct{}]struct{}
}

// changed returns a channel that is closed when another plan takes over from the
// one in force. Once unwatch has been called it is nobody's business.
func (i *Injector) changed() (changed <-chan struct{}, unwatch func()) {
	p := i.plan.Load()
	if p == nil {
		return nil, func() {} // no rule holds anything
	}
	c := p.handover.watch()
	return c, func() { p.handover.unwatch(c) }
}

// watch returns a channel that is closed when another plan takes over.
func (h *handover) watch() chan struct{} {
	changed := make(chan struct{})
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		close(changed)
		return changed
	}
	if h.waiting == nil {
		h.waiting = map[chan struct{}]struct{}{}
	}
	h.waiting[changed] = struct{}{}
	return changed
}

func (h *handover) unwatch(changed chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting, changed)
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
