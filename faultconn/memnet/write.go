package memnet

import (
	"net"
	"os"
	"syscall"
)

// write is the writer's side of a half. It returns when all of p is in the
// buffer or with the reader.
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
