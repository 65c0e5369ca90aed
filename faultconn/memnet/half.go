package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// A half is one direction of a connection: the bytes from its writer to its
// reader, wherever on the way they are.
//
// Latency is computed when bytes are written and paid when they are read, so
// there is no goroutine in between. Bytes in q are, in this order, ready to be
// read, in flight (each mark tells when a run of them arrives), and unsent
// because the gate is not open.
type half struct {
	mu             sync.Mutex
	readable       sync.Cond
	writable       sync.Cond
	writer, reader *Conn

	size   int // of the buffer
	path   path
	q      ring
	ready  int
	unsent int
	marks  []mark
	last   time.Time // latest arrival so far; nothing overtakes

	fin    bool // sent or waiting to be, after all bytes
	finOut bool // fin is past the gate
	eof    bool // fin has arrived
	rst    bool // an RST to the reader waits for the gate
	lost   int  // bytes that a closed reader will never take; they keep their room

	readShut, readReset, readClosed    bool
	writeShut, writeReset, writeClosed bool
	readLimit, writeLimit              deadline

	arrival *time.Timer // wakes readers for the first mark

	readers int // waiting
	// A waiting reader offers its buffer, so that a write can fill it without
	// the detour through q. The offer is taken until its owner has left.
	offered bool
	offer   []byte
	filled  int

	writers int // waiting
	// The writer that has begun and not finished; others wait, so that
	// concurrent writes do not mix. It offers the rest of its bytes.
	writing bool
	rest    []byte
	need    int // room that makes waking the writer worthwhile

	bounced  bool      // bytes reached a closed reader; an RST is due
	bounceAt time.Time // and this is when they got there
}

// A mark says when the next n bytes, and perhaps the FIN, arrive.
type mark struct {
	n   int
	at  time.Time
	fin bool
}

func (h *half) init(writer, reader *Conn, size int, p path) {
	h.readable.L, h.writable.L = &h.mu, &h.mu
	h.writer, h.reader = writer, reader
	h.size, h.path = size, p.plainly()
}

// instant reports whether what is written is ready at once.
func (h *half) instant() bool {
	return h.path.plain && len(h.marks) == 0
}

func (h *half) room() int { return h.size + h.path.window() - h.q.n - h.lost }

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.readClosed:
			return 0, net.ErrClosed
		case len(p) == 0:
			return 0, nil
		case h.readLimit.expired:
			return 0, os.ErrDeadlineExceeded
		}
		if len(h.marks) > 0 {
			h.ripen()
		}
		if h.ready > 0 || len(h.rest) > 0 {
			if n := h.take(p); n > 0 {
				return n, nil
			}
		}
		switch {
		case h.eof:
			return 0, io.EOF
		case h.readReset:
			if errno := h.reader.takeError(); errno != 0 {
				return 0, os.NewSyscallError("read", errno)
			}
			return 0, io.EOF
		case h.readShut:
			return 0, io.EOF
		}
		if n := h.awaitBytes(p); n > 0 {
			return n, nil
		}
	}
}

// ripen moves what has arrived by now from the marks to ready.
func (h *half) ripen() {
	now := time.Now()
	i := 0
	for ; i < len(h.marks) && !h.marks[i].at.After(now); i++ {
		h.ready += h.marks[i].n
		h.eof = h.eof || h.marks[i].fin
	}
	h.marks = h.marks[i:]
}

// ended reports whether the FIN has arrived. With both of a connection's the
// kernel has forgotten it.
func (h *half) ended() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.marks) > 0 {
		h.ripen()
	}
	return h.eof
}

// take moves ready bytes into p, and after them those that a blocked writer
// offers.
func (h *half) take(p []byte) int {
	n := 0
	if h.ready > 0 {
		n = h.q.read(p[:min(h.ready, len(p))])
		h.ready -= n
	}
	if n < len(p) && len(h.rest) > 0 && h.q.n == 0 && h.instant() {
		m := copy(p[n:], h.rest)
		h.rest = h.rest[m:]
		n += m
	}
	if n == 0 {
		return 0
	}
	if h.writers > 0 && (h.room() >= h.need || h.writing && len(h.rest) == 0) {
		h.writable.Broadcast()
	}
	if h.ready > 0 && h.readers > 0 {
		h.readable.Signal()
	}
	return n
}

// awaitBytes blocks until something has changed. It returns how many bytes a
// writer put into p.
func (h *half) awaitBytes(p []byte) int {
	mine := !h.offered
	if mine {
		h.offered, h.offer, h.filled = true, p, 0
	}
	h.readers++
	if len(h.marks) > 0 {
		h.arm()
	}
	h.readable.Wait()
	h.readers--
	if !mine {
		return 0
	}
	h.offered = false
	if h.filled == 0 {
		h.offer = nil
	}
	return h.filled
}

// arm sets the timer that wakes waiting readers for the first mark.
func (h *half) arm() {
	d := time.Until(h.marks[0].at)
	if h.arrival != nil {
		h.arrival.Reset(d)
		return
	}
	h.arrival = time.AfterFunc(d, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.readable.Broadcast()
	})
}

func (h *half) wakeReaders() {
	switch {
	case h.readers == 1:
		h.readable.Signal()
	case h.readers > 1:
		h.readable.Broadcast()
	}
}
