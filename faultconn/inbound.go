package faultconn

import (
	"io"
	"time"
)

// inbound is the direction from the peer. Bytes go from the wrapped connection
// to queue, are decided upon from its front, and go to ready when their time
// has come; all is owned by whoever holds the turn.
type inbound struct {
	turn chan struct{} // holds one value while a Read has it

	ahead *ahead    // what is being read ahead; nil: nothing
	queue []arrival // not decided upon
	buf   []byte    // backs the only arrival, or ready
	ready []byte    // to be returned
	after error     // to be returned with the last of ready
	hold  hold

	passed bool // the end of the stream has been returned

	flood bool          // more has come than could be read ahead
	idle  time.Duration // how long nothing has come, in a flood
}

func (c *conn) inbound() *inbound {
	if c.in.Load() == nil {
		c.in.CompareAndSwap(nil, &inbound{turn: make(chan struct{}, 1)})
	}
	return c.in.Load()
}

// keeps reports whether the next Read has to look here first.
func (h *inbound) keeps() bool {
	return h.ahead != nil || len(h.queue) > 0 || len(h.ready) > 0 || h.after != nil || h.hold.on
}

// trim takes the front arrival off if nothing is left of it.
func (h *inbound) trim() {
	if h.queue[0].empty() {
		h.queue[0] = arrival{}
		if len(h.queue) > 1 {
			h.queue = h.queue[1:]
		} else {
			h.queue = h.queue[:0]
		}
	}
}

// ended passes the end of the stream on. Later Reads ask for it again, but are
// not late again.
func (h *inbound) ended() {
	h.after, h.queue[0].err, h.passed = io.EOF, nil, true
	h.trim()
}
