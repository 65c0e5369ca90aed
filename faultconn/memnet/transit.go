package memnet

import "time"

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
