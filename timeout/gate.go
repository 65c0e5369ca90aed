package timeout

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
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

// A gate stands between a handler and its ResponseWriter. The writer belongs to the handler
// until the deadline, and to nobody after that. No call into the writer is made with
// the mutex held: busy counts the handler's, and the deadline waits for them.
type gate struct {
	l      *Limiter
	w      http.ResponseWriter
	rc     http.ResponseController
	r      *http.Request // as it came, with the client's context
	ctx    requestContext
	body   *body // nil if there is none
	start  time.Time
	hard   time.Time
	timer  *time.Timer
	ended  chan struct{} // closed when the deadline has done its work; nil on HTTP/1
	rolled time.Time     // when the write deadline was last set, and
	until  time.Time     // to what; the handler's only

	mu       sync.Mutex
	changed  sync.Cond // busy reached 0, or expiring ended
	phase    phase
	busy     int
	expiring bool
	missed   bool // the deadline passed during a hijack
	taken    bool // the handler sets write deadlines itself
	header   http.Header
	before   http.Header // what w.Header() held before an informational response
	err      *Error      // once expired or aborted
}

// requestContext is the context of the handler. It carries the gate, so that an error of
// the handler finds the response it belongs to through any number of wrapped writers.
type requestContext struct {
	context.Context
	gate *gate
}

type gateKey struct{}

func (c *requestContext) Value(key any) any {
	if key == (gateKey{}) {
		return c.gate
	}
	return c.Context.Value(key)
}

var errFinished = errors.New("timeout: response used after its handler returned")

// enter begins a call into the writer, which leave must end. With commit it is a call after which
// no 503 can be sent any more.
func (g *gate) enter(commit bool) error {
	g.mu.Lock()
	switch g.phase {
	case open:
		if commit {
			g.phase = committed
			g.publish()
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
	roll := commit && !g.taken
	g.mu.Unlock()
	if roll {
		g.roll()
	}
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	g.busy--
	if g.expiring && g.busy == 0 {
		g.changed.Broadcast()
	}
	g.mu.Unlock()
}

// slack is how far write deadlines may lie behind the hard deadline. The timer is to be the
// first to act: a write that failed looks to the server like a client that left.
const slack = 5 * time.Millisecond

// roll sets the deadline by which the client must have taken what is about to be written.
// It is never much later than the hard deadline: one that was decided on just before the timer
// fired cannot undo what the timer did.
func (g *gate) roll() {
	idle := g.l.config.WriteIdle
	if idle == 0 {
		if g.rolled.IsZero() {
			g.rolled, g.until = g.start, g.hard.Add(slack)
			g.rc.SetWriteDeadline(g.until)
		}
		return
	}
	now := time.Now()
	if !g.rolled.IsZero() && now.Sub(g.rolled) < idle/4 {
		return // setting a deadline costs more than a small write
	}
	g.rolled, g.until = now, now.Add(idle+idle/4)
	if last := g.hard.Add(slack); last.Before(g.until) {
		g.until = last
	}
	g.rc.SetWriteDeadline(g.until)
}

// publish hands the handler's headers to the writer. They are kept apart until then because the
// deadline may need the writer's for a 503 while the handler is still filling in its own.
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
	defer g.mu.Unlock()
	switch g.phase {
	case open:
		g.phase = finished
		if !panicking { // the server answers 200 when a handler returns without a word
			g.publish()
		}
	case committed:
		g.phase = finished
		g.trailers()
	}
	for g.expiring {
		g.changed.Wait()
	}
	return g.phase
}

// body notes when the end of a request's body was read: after that the server watches the
// connection for its end, and an expired read deadline would look to it like a client that left.
type body struct {
	io.ReadCloser
	mu  sync.Mutex
	eof bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.mu.Lock()
		b.eof = true
		b.mu.Unlock()
	}
	return n, err
}

// unread reports whether the client may still be sending.
func (b *body) unread() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.eof
}
