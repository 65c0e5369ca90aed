package timeout

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A phase is how far a response has come. The mutex of the gate decides every change of
// phase, so that of the handler and the deadline exactly one wins.
type phase uint8

const (
	open      phase = iota // nothing final was sent; the deadline answers 503
	committed              // a final status went out; the deadline cuts the response off
	hijacked               // the connection is the handler's; the deadline does nothing
	expired                // the deadline has answered, or would have had the client not left
	aborted                // the deadline, or a client that stopped reading, cut the response off
	finished               // the handler returned in time
)

// A gate stands between a handler and its ResponseWriter. The writer belongs to the
// handler until the deadline, and to nobody after that. No call into the writer is made
// with the mutex held: busy counts the handler's, and the deadline waits for them.
type gate struct {
	l      *Limiter
	w      http.ResponseWriter
	rc     http.ResponseController
	r      *http.Request // as it came, with the client's context
	ctx    requestContext
	stream *streamContext // nil unless Config.Stream is set
	body   *body          // nil if there is none
	outer  *gate          // that answers for this one
	start  time.Time
	total  time.Duration // of this request
	timer  *time.Timer
	idle   *time.Timer   // runs during a write; nil without WriteIdle
	ended  chan struct{} // closed when the deadline has done its work; nil on HTTP/1

	readEnded atomic.Bool // by us: what the server says of the client after that is not so

	mu       sync.Mutex
	changed  sync.Cond // busy reached 0, or expiring ended
	phase    phase
	hard     time.Time // zero means none
	busy     int
	writing  int  // calls for which the idle timer runs
	drained  bool // the rest of the body was given up for the response
	expiring int  // timers at work on the writer
	missed   bool // the deadline passed during a hijack
	taken    bool // the handler sets write deadlines itself
	header   http.Header
	before   http.Header // what w.Header() held before an informational response
	kept     http.Header // to be sent with a 503
	err      *Error      // once expired or aborted
}

var errFinished = errors.New("timeout: response used after its handler returned")

// enter begins a call into the writer, which leave must end. With commit it is a call
// after which no 503 can be sent any more.
func (g *gate) enter(commit bool) error {
	g.mu.Lock()
	switch g.phase {
	case open:
		if commit {
			g.phase = committed
			g.publish()
			g.begin()
		}
	case committed:
	case hijacked:
		g.mu.Unlock()
		return http.ErrHijacked
	case finished:
		g.mu.Unlock()
		return errFinished
	default:
		err := g.err
		g.mu.Unlock()
		return err
	}
	g.busy++
	if commit && g.l.config.WriteIdle > 0 && !g.taken {
		g.writing++
		if g.idle == nil {
			g.idle = time.AfterFunc(g.l.config.WriteIdle, g.stall)
		} else {
			g.idle.Reset(g.l.config.WriteIdle)
		}
	}
	g.mu.Unlock()
	return nil
}

// leave ends a call into the writer.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left()
}

func (g *gate) left() {
	g.busy--
	if g.expiring > 0 && g.busy == 0 {
		g.changed.Broadcast()
	}
}

// wrote is leave for calls that commit. If a limit was met during the call, that is what
// err, if not nil, becomes: the error of a deadline that was set to get the handler out
// says nothing.
func (g *gate) wrote(err *error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.writing > 0 {
		if g.writing--; g.writing == 0 {
			g.idle.Stop()
		}
	}
	if *err != nil && g.err != nil {
		*err = g.err
	}
	g.left()
}

// begin moves the deadlines of a response that may go on as a stream.
func (g *gate) begin() {
	if g.stream == nil {
		return
	}
	stream := g.l.config.Stream
	if stream < 0 {
		g.hard = time.Time{}
		g.timer.Stop()
		g.stream.move(time.Time{})
		return
	}
	g.hard = time.Now().Add(stream)
	g.timer.Reset(stream)
	g.stream.move(g.hard.Add(-g.l.grace(stream)))
}

// publish hands the handler's headers to the writer. They are kept apart until then
// because the deadline may need the writer's for a 503 while the handler is still filling
// in its own.
func (g *gate) publish() {
	if g.header == nil {
		return
	}
	h := g.w.Header()
	maps.DeleteFunc(h, func(key string, _ []string) bool {
		_, ok := g.header[key]
		return !ok
	})
	maps.Copy(h, g.header)
}

// trailers hands on what the handler added to its headers after they were sent.
func (g *gate) trailers() {
	_, declared := g.header["Trailer"]
	for key := range g.header {
		if declared || strings.HasPrefix(key, http.TrailerPrefix) {
			maps.Copy(g.w.Header(), g.header)
			return
		}
	}
}

// finish ends the handler's right to the writer. It returns once nothing else uses it either.
func (g *gate) finish(panicking bool) phase {
	g.mu.Lock()
	switch {
	case panicking && (g.phase == open || g.phase == committed):
		g.phase = finished
	case g.phase == open && errors.Is(g.ctx.Err(), context.DeadlineExceeded):
		g.close(&Error{Reason: ReasonDeadline, Limit: g.total, Elapsed: time.Since(g.start)}, false)
		g.mu.Unlock()
		g.settle()
		incident := newIncident()
		g.flushBy(g.hard) // the answer may be more than the server keeps back
		g.answer(incident, false)
		g.report(false, false, incident)
		g.mu.Lock()
		g.expiring--
	case g.phase == open: // the server answers 200 when a handler returns without a word
		g.phase = finished
		g.publish()
		defer g.flushBy(g.hard)
	case g.phase == committed:
		g.phase = finished
		g.trailers()
		defer g.flushBy(g.hard)
	}
	for g.expiring > 0 {
		g.changed.Wait()
	}
	defer g.mu.Unlock()
	return g.phase
}

// flushBy limits what the server still does for the response, now that the timer does not
// watch any more: it sends what it has buffered and, on HTTP/1, first reads what is left
// of a short body.
func (g *gate) flushBy(deadline time.Time) {
	now := time.Now()
	if deadline.IsZero() {
		deadline = now.Add(g.total)
	}
	if atLeast := now.Add(minGrace); deadline.Before(atLeast) {
		deadline = atLeast // for a handler that was just in time
	}
	from := now
	if g.r.ProtoMajor == 1 && g.body.unread() {
		g.rc.SetReadDeadline(deadline)
		from, deadline = deadline, deadline.Add(minGrace)
	}
	if idle := g.l.config.WriteIdle; idle > 0 {
		deadline = sooner(deadline, from.Add(idle))
	}
	if !g.taken {
		g.rc.SetWriteDeadline(deadline)
	}
}
