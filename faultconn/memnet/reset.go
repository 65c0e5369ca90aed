package memnet

import "time"

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
