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
	switch g.phase {
	case open, committed:
	case hijacked:
		g.missed = true
		fallthrough
	default:
		g.mu.Unlock()
		return
	}
	// A client that left gets no 503, and is not counted as one. What it gets if it is
	// there after all is an error, not the empty 200 of a handler that wrote nothing.
	gone := g.gone()
	sent := g.phase == committed
	e := &Error{Reason: ReasonDeadline, Limit: g.l.config.Total, Elapsed: time.Since(g.start)}
	g.err = e
	g.expiring = true
	g.phase = expired
	if sent || gone {
		g.phase = aborted
	}
	g.mu.Unlock()

	// A handler in the middle of reading a body that does not come must let go of it.
	if g.body.unread() {
		g.rc.SetReadDeadline(past)
	}
	incident := ""
	if sent || gone {
		g.rc.SetWriteDeadline(past)
		g.settle()
		g.cut()
	} else {
		g.rc.SetWriteDeadline(time.Now().Add(g.l.config.Total))
		g.settle()
		incident = newIncident()
		g.answer(e, incident)
	}
	g.l.abandoned.Add(1)
	g.report(e, sent, gone, incident)

	g.mu.Lock()
	g.expiring = false
	g.changed.Broadcast()
	g.mu.Unlock()
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

// cut closes the connection under a response that has begun, now and not when its handler returns.
// It resets it where it can: to a client that reads to the end of the
// connection, an orderly end would look like a complete response. On HTTP/2 the write
// deadline has reset the stream already.
func (g *gate) cut() {
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

// stalled gives up a response that its client stopped taking.
func (g *gate) stalled(cause error) error {
	g.mu.Lock()
	if g.phase != committed || g.taken {
		err := error(g.err)
		if g.err == nil {
			err = cause
		}
		g.mu.Unlock()
		return err
	}
	idle := g.l.config.WriteIdle
	e := &Error{Reason: ReasonIdle, Limit: idle, Elapsed: time.Since(g.start), Err: cause}
	if idle == 0 || !time.Now().Before(g.hard) {
		e.Reason, e.Limit = ReasonDeadline, g.l.config.Total
	}
	g.phase, g.err = aborted, e
	g.l.abandoned.Add(1)
	g.mu.Unlock()
	g.report(e, true, false, "")
	g.cut()
	return e
}

// gone reports whether the request's context was cancelled from outside. A deadline from outside is
// no such thing: it belongs to a Limiter or a middleware that will answer.
func (g *gate) gone() bool { return errors.Is(g.r.Context().Err(), context.Canceled) }

func (g *gate) report(e *Error, sent, gone bool, incident string) {
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

func (l *Limiter) emit(e Event) {
	if l.config.OnEvent != nil {
		l.config.OnEvent(e)
	}
}
