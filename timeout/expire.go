package timeout

import (
	"context"
	"errors"
	"net"
	"time"
)

// past is a deadline that has been: it ends reads and writes that are waiting.
var past = time.Unix(1, 0)

// expire is what the timer does at the hard deadline.
func (g *gate) expire() {
	g.mu.Lock()
	if g.hard.IsZero() || time.Now().Before(g.hard) { // the response has begun, as a stream
		g.mu.Unlock()
		return
	}
	switch g.phase {
	case open, committed:
	case hijacked:
		g.missed = true
		fallthrough
	default:
		g.mu.Unlock()
		return
	}
	if g.outer != nil { // has answered a moment ago
		g.close(&Error{Reason: ReasonDeadline, Limit: g.total, Elapsed: time.Since(g.start)}, false)
		g.mu.Unlock()
		g.settle()
		g.closed()
		return
	}
	if g.phase == committed && g.drain(g.timer, minGrace) {
		return
	}
	// A client that left gets no 503, and is not counted as one. What it gets if it is
	// there after all is an error, not the empty 200 of a handler that wrote nothing.
	gone := g.gone()
	sent := g.phase == committed
	g.close(&Error{Reason: ReasonDeadline, Limit: g.hard.Sub(g.start), Elapsed: time.Since(g.start)}, sent || gone)
	g.mu.Unlock()

	// A handler in the middle of reading a body that does not come must let go of it.
	if g.body.unread() {
		g.endRead()
	}
	incident := ""
	if sent || gone {
		g.cut()
	} else {
		g.rc.SetWriteDeadline(time.Now().Add(g.total))
		g.settle()
		incident = newIncident()
		g.answer(incident, true)
	}
	g.report(sent, gone, incident)
	g.closed()
}

// stall is what the idle timer does when a write takes too long.
func (g *gate) stall() {
	g.mu.Lock()
	if g.phase != committed || g.writing == 0 {
		g.mu.Unlock()
		return
	}
	if g.drain(g.idle, g.l.config.WriteIdle) {
		return
	}
	g.close(&Error{Reason: ReasonIdle, Limit: g.l.config.WriteIdle, Elapsed: time.Since(g.start)}, true)
	g.mu.Unlock()
	g.cut()
	g.report(true, false, "")
	g.closed()
}

// drain lets a write go on that waits for the rest of the request: on HTTP/1 the server
// reads that, if it is short, before it writes, so that it may be the sender who is slow,
// and the response can go out without it. The timer then gives the write so much more. The
// mutex is held; if there is such a write, drain unlocks it and returns true.
func (g *gate) drain(timer *time.Timer, more time.Duration) bool {
	if g.drained || g.busy == 0 || g.r.ProtoMajor != 1 || !g.body.unread() {
		return false
	}
	g.drained = true
	g.expiring++
	timer.Reset(more)
	g.mu.Unlock()
	g.endRead()
	g.resume()
	return true
}

// close takes the writer away from the handler. The mutex is held.
func (g *gate) close(e *Error, abort bool) {
	g.err = e
	g.expiring++
	g.phase = expired
	if abort {
		g.phase = aborted
	}
	g.l.abandoned.Add(1)
}

// resume lets finish go on.
func (g *gate) resume() {
	g.mu.Lock()
	g.expiring--
	g.changed.Broadcast()
	g.mu.Unlock()
}

// closed lets go of the writer.
func (g *gate) closed() {
	g.resume()
	if g.ended != nil {
		close(g.ended)
	}
}

// settle waits until the handler is out of the writer. The deadlines see to it that it gets out.
func (g *gate) settle() {
	g.mu.Lock()
	for g.busy > 0 {
		g.changed.Wait()
	}
	g.mu.Unlock()
}

// cut ends a response that has begun, now and not when its handler returns. On HTTP/1 it
// closes the connection, with a reset where it can: to a client that reads to the end of
// the connection an orderly end would look like a complete response. On HTTP/2 the write
// deadline resets the stream.
func (g *gate) cut() {
	g.rc.SetWriteDeadline(past)
	g.settle()
	if g.r.ProtoMajor != 1 {
		return
	}
	conn, _, err := g.rc.Hijack()
	if err != nil {
		return // what is left is the panic with which the handler's goroutine ends
	}
	for inner := conn; inner != nil; {
		if tcp, ok := inner.(interface{ SetLinger(int) error }); ok {
			tcp.SetLinger(0)
			inner.Close()
			break
		}
		wrapped, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = wrapped.NetConn()
	}
	conn.Close()
}

// endRead lets go of whoever reads the rest of the body, the handler or the server.
func (g *gate) endRead() {
	g.readEnded.Store(true)
	g.rc.SetReadDeadline(past)
}

// gone reports whether the request's context was cancelled from outside. A deadline from
// outside is no such thing: it belongs to a Limiter or a middleware that will answer.
func (g *gate) gone() bool {
	return !g.readEnded.Load() && errors.Is(g.r.Context().Err(), context.Canceled)
}

func (g *gate) report(sent, gone bool, incident string) {
	e := g.err // does not change any more
	event := Event{
		Kind: KindTimeout, Reason: e.Reason, Limit: e.Limit, Elapsed: e.Elapsed,
		Method: g.r.Method, Path: g.r.URL.Path, Incident: incident, Err: e,
	}
	switch {
	case gone:
		g.l.gone.Add(1)
		event.Kind, event.Err = KindGone, g.r.Context().Err()
	case sent:
		g.l.aborted.Add(1)
		event.Kind = KindAborted
	default:
		g.l.timeouts.Add(1)
	}
	g.l.emit(event)
}

func (l *Limiter) emit(e Event) { e.tell(l.config.OnEvent) }
