package faultconn

import (
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"time"
)

// arrival is what one Read of the wrapped connection returned. The zero arrival
// is none.
type arrival struct {
	data   []byte
	err    error // after data; not a deadline
	at     time.Time
	idle   time.Duration // how long nothing came before it
	behind bool          // it could have been there before: nobody had room to look
}

func (a *arrival) empty() bool { return len(a.data) == 0 && a.err == nil }

// ahead reads what comes while data are late, so that each byte is late by the
// same time and not by that of the bytes before it. A goroutine of the
// connection does it, as no deadline of the wrapped connection has to work then.
// It ends soon after nothing is late any more, and Close waits for it.
type ahead struct {
	arrivals chan arrival // closed when the goroutine ends
	enough   atomic.Bool  // it need not go on
}

// What is read ahead is bounded: so many Reads of so many bytes wait in the
// channel, and so many bytes in inbound.queue.
const (
	aheadReads = 32
	aheadChunk = 4 << 10
	aheadBytes = aheadReads * aheadChunk
)

// readAhead begins to read ahead, unless that goes on or the connection is
// closed. The caller has the turn.
func (c *conn) readAhead() {
	h := c.inbound()
	if h.ahead != nil {
		h.ahead.enough.Store(false)
		return
	}
	c.adopts.Lock() // Close takes it once it has set closed
	defer c.adopts.Unlock()
	if c.state.Load()&closed != 0 || slices.ContainsFunc(h.queue, func(a arrival) bool { return a.err != nil }) {
		return
	}
	a := &ahead{arrivals: make(chan arrival, aheadReads)}
	h.ahead = a
	c.reader.Go(func() {
		defer close(a.arrivals)
		buf := make([]byte, aheadChunk)
		behind := false
		for !a.enough.Load() {
			begun := time.Now()
			n, err := c.inner.Read(buf)
			next := arrival{slices.Clone(buf[:n]), err, time.Now(), time.Since(begun), behind}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				next.err = nil // the user's, whose Read finds out by itself
			}
			behind = len(a.arrivals) == cap(a.arrivals)
			if !next.empty() {
				select {
				case a.arrivals <- next:
				case <-c.end:
					return
				}
			}
			if err != nil {
				return
			}
		}
	})
}

// more returns where arrivals come from, as long as there is room for them.
func (h *inbound) more() <-chan arrival {
	if h == nil || h.ahead == nil {
		return nil
	}
	bytes := 0
	for _, a := range h.queue {
		bytes += len(a.data)
	}
	if bytes >= aheadBytes {
		return nil
	}
	return h.ahead.arrivals
}

// push takes an arrival; none is the end of reading ahead.
func (h *inbound) push(a arrival) {
	if a.empty() {
		h.ahead = nil
		return
	}
	h.queue = append(h.queue, a)
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
	if d.effect.Latency == 0 && h.ahead != nil {
		h.ahead.enough.Store(true)
	}
}
