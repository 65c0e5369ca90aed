package faultconn

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"
)

// arrival is what one Read of the wrapped connection returned.
type arrival struct {
	data   []byte
	err    error // after data
	at     time.Time
	idle   time.Duration // how long nothing came before it
	behind bool          // it could have come before: there was no room to look
}

func (a *arrival) empty() bool { return len(a.data) == 0 && a.err == nil }

// ahead is what has been read ahead while data are late, so that each byte is
// late by the same time and not by that of the bytes before it. A goroutine of
// the connection reads it, as no deadline of the wrapped connection has to work
// then. It ends soon after nothing is late any more, and Close waits for it.
type ahead struct {
	more chan struct{} // holds a value if something has come
	room chan struct{} // holds a value if something has been taken
	done chan struct{} // closed when the goroutine ends

	mu     sync.Mutex
	queue  []arrival
	bytes  int
	enough bool // it need not go on
	halted bool // it must not
	ended  bool
}

const (
	aheadBytes = 256 << 10 // how much is read ahead at the most
	aheadChunk = 4 << 10   // in how large pieces
)

// readAhead reads ahead, as long as there is anything to come, and returns a
// channel that is closed when that ends. The caller has the turn.
func (c *conn) readAhead() (done <-chan struct{}) {
	h := c.inbound()
	if h.ahead != nil && h.ahead.need(true) {
		return h.ahead.done
	}
	if h.ahead != nil {
		c.collect()
	}
	c.adopts.Lock() // Close takes it once it has set closed
	defer c.adopts.Unlock()
	if c.state.Load()&closed != 0 || slices.ContainsFunc(h.queue, func(a arrival) bool { return a.err != nil }) {
		return nil
	}
	a := &ahead{more: make(chan struct{}, 1), room: make(chan struct{}, 1), done: make(chan struct{})}
	for _, kept := range h.queue { // by one that a deadline has ended
		a.bytes += len(kept.data)
	}
	h.ahead = a
	c.reader.Go(func() { a.run(c) })
	return a.done
}

func (a *ahead) run(c *conn) {
	defer close(a.done)
	buf := make([]byte, aheadChunk)
	behind := false
	for more := true; more; {
		begun, moves := time.Now(), c.readGate.count()
		n, err := c.inner.Read(buf)
		next := arrival{slices.Clone(buf[:n]), err, time.Now(), time.Since(begun), behind}
		if errors.Is(err, os.ErrDeadlineExceeded) && (a.stops() || c.readGate.expired() || c.readGate.count() != moves) {
			next.err = nil // of stopAhead, or the user's, whose Read finds out by itself
		}
		var full bool
		if full, more = a.put(next, err != nil); full && more {
			select {
			case <-a.room:
			case <-c.end:
				return // nobody takes any more
			}
		}
		behind = full
	}
}

// put keeps an arrival, maybe the last, and reports whether there is no room for
// another, and whether there is to be one.
func (a *ahead) put(next arrival, last bool) (full, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !next.empty() {
		a.queue = append(a.queue, next)
		a.bytes += len(next.data)
	}
	a.ended = last || a.enough
	signal(a.more)
	return a.bytes >= aheadBytes, !a.ended
}

// take returns what has come, and whether there may be more.
func (a *ahead) take() (queue []arrival, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	queue, a.queue, a.bytes = a.queue, nil, 0
	signal(a.room)
	return queue, !a.ended
}

// enough lets the reading ahead end with what comes next.
func (h *inbound) enough() {
	if h.ahead != nil {
		h.ahead.need(false)
	}
}

// need says whether it has to go on, and reports whether it does.
func (a *ahead) need(more bool) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.enough = !more
	return !a.ended
}

// halt has it end with the Read that is under way, whatever comes.
func (a *ahead) halt() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.enough, a.halted = true, true
}

func (a *ahead) stops() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.halted
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// collect takes what has been read ahead, once something has.
func (c *conn) collect() {
	h := c.inbound()
	queue, more := h.ahead.take()
	h.queue = append(h.queue, queue...)
	if !more {
		h.ahead = nil
	} else if len(queue) == 0 {
		nothing := hold{effect: Effect{Hang: true}}
		c.readGate.wait(c.inj, &nothing, c.end, h.ahead.more) // the caller finds out why it ended
	}
}

// unflood takes the latency off what is behind more than can be read ahead: it
// follows at once, or a stream would bring no more than that in each delay. That
// ends when the stream pauses for as long, or a unit begins.
func (h *inbound) unflood(d *verdict, a *arrival) {
	if d.effect.Latency > 0 {
		switch {
		case d.anew || a.idle >= d.effect.Latency:
			h.flood = false
		case a.behind:
			h.flood = true
		}
		if h.flood {
			d.effect.Latency = 0
			d.delays = slices.DeleteFunc(d.delays, func(d delay) bool { return d.latency })
		}
	}
	if d.effect.Latency == 0 {
		h.enough()
	}
}
