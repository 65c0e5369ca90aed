package memnet

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
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
		case h.eof || h.readShut:
			return 0, io.EOF
		case h.readReset:
			if errno := h.reader.takeError(); errno != 0 {
				return 0, os.NewSyscallError("read", errno)
			}
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

func (h *half) write(p []byte) (int, error) {
	h.mu.Lock()
	if len(h.offer) >= len(p) && len(p) > 0 && h.quick() {
		h.hand(p)
		h.mu.Unlock()
		return len(p), nil
	}
	defer h.mu.Unlock()
	n := 0
	mine := false
	for {
		if err := h.writeError(); err != nil {
			h.leave(mine)
			return n, err
		}
		if h.writing && !mine {
			h.await()
			continue
		}
		n += h.put(p[n:])
		if h.bounced {
			h.mu.Unlock()
			h.bounce()
			h.mu.Lock()
			if n < len(p) {
				continue
			}
		}
		if n == len(p) {
			h.leave(mine)
			return n, nil
		}
		mine, h.writing = true, true
		h.need = min(len(p)-n, (h.size+1)/2)
		h.rest = p[n:]
		h.await()
		n = len(p) - len(h.rest)
		h.rest = nil
		if n == len(p) {
			h.leave(mine)
			return n, nil
		}
	}
}

// quick reports whether nothing stands between a writer and the buffer that a
// reader offers.
func (h *half) quick() bool {
	return h.q.n == 0 && !h.writing && h.instant() && !h.writeClosed && !h.writeLimit.expired && !h.writeReset && !h.writeShut
}

// hand fills the buffer that a reader offers, and returns how much of p that
// took.
func (h *half) hand(p []byte) int {
	n := copy(h.offer, p)
	h.offer, h.filled = nil, n
	h.wakeReaders()
	return n
}

func (h *half) await() {
	h.writers++
	h.writable.Wait()
	h.writers--
}

func (h *half) leave(mine bool) {
	if !mine {
		return
	}
	h.writing, h.need = false, 0
	if h.writers > 0 {
		h.writable.Broadcast()
	}
}

// writeError is why nothing can be written, if so. The deadline comes before
// room in the buffer: a write that is too late fails even if it would fit.
func (h *half) writeError() error {
	switch {
	case h.writeClosed:
		return net.ErrClosed
	case h.writeLimit.expired:
		return os.ErrDeadlineExceeded
	case h.writeReset:
		if errno := h.writer.takeError(); errno != 0 {
			return os.NewSyscallError("write", errno)
		}
		return os.NewSyscallError("write", syscall.EPIPE)
	case h.writeShut:
		return os.NewSyscallError("write", syscall.EPIPE)
	}
	return nil
}

// put takes as much of p as there is room for.
func (h *half) put(p []byte) (n int) {
	if len(h.offer) > 0 && h.q.n == 0 && h.instant() {
		n = h.hand(p)
		p = p[n:]
	}
	m := min(len(p), h.room())
	if m <= 0 {
		return n
	}
	h.q.write(p[:m])
	h.unsent += m
	h.send()
	return n + m
}

// send puts what is unsent on its way, if the gate is open.
func (h *half) send() {
	if h.path.gate != open {
		return
	}
	fin := h.fin && !h.finOut
	if h.instant() {
		h.ready += h.unsent
		h.eof = h.eof || fin
		h.wakeReaders()
	} else if h.unsent > 0 || fin {
		h.schedule(fin)
	}
	h.unsent, h.finOut = 0, h.finOut || fin
	if h.readClosed {
		h.discard()
	}
}

// schedule writes the marks of the bytes that are leaving now.
func (h *half) schedule(fin bool) {
	idle := len(h.marks) == 0
	now := time.Now()
	left := now
	for h.unsent > 0 {
		n := h.unsent
		if bw := h.path.Bandwidth; bw > 0 {
			n = min(n, h.path.chunk())
			left = h.path.line.send(now, n, bw)
		}
		h.unsent -= n
		h.mark(n, left.Add(h.path.Latency), false)
	}
	if fin {
		h.mark(0, left.Add(h.path.Latency), true)
	}
	if idle && h.readers > 0 {
		h.arm()
	}
}

func (h *half) mark(n int, at time.Time, fin bool) {
	if at.Before(h.last) {
		at = h.last
	}
	h.last = at
	if i := len(h.marks) - 1; i >= 0 && h.marks[i].at.Equal(at) && !h.marks[i].fin {
		h.marks[i].n += n
		h.marks[i].fin = fin
		return
	}
	h.marks = append(h.marks, mark{n, at, fin})
}

func (h *half) wakeReaders() {
	switch {
	case h.readers == 1:
		h.readable.Signal()
	case h.readers > 1:
		h.readable.Broadcast()
	}
}

// discard drops what reached, or is about to reach, a closed reader. If that
// is more than a FIN it will be answered with an RST.
func (h *half) discard() {
	sent := h.q.n - h.unsent
	if sent > 0 && !h.bounced {
		h.bounced, h.bounceAt = true, time.Time{}
		if h.ready == 0 {
			h.bounceAt = h.marks[0].at
		}
	}
	h.q.drop(sent)
	if h.q.n == 0 {
		h.q = ring{}
	}
	h.lost += sent
	h.ready, h.marks = 0, nil
}

// bounce answers bytes for a closed reader with an RST. It locks the other
// half: the caller holds no lock.
func (h *half) bounce() {
	h.mu.Lock()
	due, at := h.bounced, h.bounceAt
	h.bounced = false
	h.mu.Unlock()
	if due {
		h.writer.in.sendReset(at, true)
	}
}

// sendReset sends an RST to the reader, no earlier than at. An answer, to
// bytes that the reader has written, is sent again until it is received, as
// the bytes are.
func (h *half) sendReset(at time.Time, answer bool) {
	h.mu.Lock()
	if h.path.gate != open {
		h.rst = h.path.gate == held || answer
		if h.path.gate == cut {
			// Nobody is left to send again what was lost before.
			h.q.cut(h.unsent)
			h.unsent, h.fin = 0, h.finOut
		}
		h.mu.Unlock()
		return
	}
	now := time.Now()
	if at.Before(now) {
		at = now
	}
	if at = at.Add(h.path.Latency); at.Before(h.last) {
		at = h.last
	}
	h.last = at
	h.mu.Unlock()
	if d := at.Sub(now); d > 0 {
		time.AfterFunc(d, h.reader.resetArrived)
		return
	}
	h.reader.resetArrived()
}

// setPath changes the link under the connection. The caller holds no half's
// lock.
func (h *half) setPath(p path) {
	h.mu.Lock()
	h.path = p.plainly()
	h.send()
	rst := h.rst && p.gate == open
	h.rst = h.rst && !rst
	h.writable.Broadcast() // there may be more room
	h.mu.Unlock()
	if rst {
		h.sendReset(time.Time{}, true)
	}
	h.bounce()
}
