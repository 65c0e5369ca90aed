package timeout

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

// newIncident returns an id that ties what a client was shown to an event.
func newIncident() string { return rand.Text()[:13] }

// answer sends the 503 of the deadline. While the handler still runs it goes out at once
// and, on HTTP/1, the connection cannot be used again.
func (g *gate) answer(incident string, running bool) {
	if g.before != nil {
		h := g.w.Header()
		clear(h)
		maps.Copy(h, g.before)
	}
	g.mu.Lock()
	maps.Copy(g.w.Header(), g.kept)
	g.mu.Unlock()
	if running && g.r.ProtoMajor == 1 { // on HTTP/2 it would end the whole connection
		g.w.Header().Set("Connection", "close")
	}
	g.l.reply(g.w, g.r, http.StatusServiceUnavailable, g.err, incident)
	if running {
		g.rc.Flush()
	}
}

// reply writes a complete error response; e is nil if it is not about a limit.
func (l *Limiter) reply(w http.ResponseWriter, r *http.Request, status int, e *Error, incident string) {
	h := w.Header()
	// These describe a body that is not sent. Headers of outer middleware stay.
	for _, key := range [...]string{"Content-Length", "Content-Encoding", "Etag", "Last-Modified", "Trailer"} {
		h.Del(key)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	text := "The server could not handle the request."
	if e != nil {
		shown := *e
		shown.Incident = incident
		e = &shown
		text = "The server cannot answer in time. Please try again later."
		if e.Reason == ReasonBody {
			text = "The request took too long to arrive."
			if r.ProtoMajor == 1 { // nobody is going to read the rest of it
				h.Set("Connection", "close")
			}
		}
		h.Del("Retry-After")
		if after := l.retryAfter(r, e); after > 0 {
			seconds := (after-1)/time.Second + 1 // rounded up
			h.Set("Retry-After", strconv.FormatInt(int64(seconds), 10))
		}
	}
	p := page{header: h, status: status}
	if e == nil || l.config.Respond == nil || !l.respond(&p, r, e) {
		p.body.Reset()
		p.status = status
		fmt.Fprintf(&p.body, "%d %s\n%s\nIncident: %s\n", status, http.StatusText(status), text, incident)
	}
	h.Set("Content-Length", strconv.Itoa(p.body.Len()))
	w.WriteHeader(p.status)
	if r.Method != http.MethodHead {
		w.Write(p.body.Bytes())
	}
}

func (l *Limiter) retryAfter(r *http.Request, e *Error) (after time.Duration) {
	defer func() {
		if v := recover(); v != nil {
			after = DefaultRetryAfter
			l.panicked(r, v, debug.Stack())
		}
	}()
	switch {
	case l.config.RetryAfter != nil:
		return l.config.RetryAfter(e)
	case e.RetryAfter != 0:
		return e.RetryAfter
	default:
		return DefaultRetryAfter
	}
}

// respond runs the hook. Like the hook above it may be running on a timer, where a panic
// would end the process.
func (l *Limiter) respond(p *page, r *http.Request, e *Error) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			ok = false
			l.panicked(r, v, debug.Stack())
		}
	}()
	l.config.Respond(p, r, e)
	return true
}

// A page is the ResponseWriter of Config.Respond.
type page struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (p *page) Header() http.Header         { return p.header }
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }
func (p *page) WriteHeader(status int) {
	if status >= 200 && status <= 999 {
		p.status = status
	}
}

// HandlerFunc is Handler for a function that returns an error, and hands the error to Fail.
func (l *Limiter) HandlerFunc(fn func(http.ResponseWriter, *http.Request) error) http.Handler {
	return l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := fn(w, r); err != nil {
			l.Fail(w, r, err)
		}
	}))
}

// limit returns what an error of a handler has to say about limits; nil if it is a bug or the like.
func (l *Limiter) limit(err error) *Error {
	var e *Error
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Reason: ReasonDeadline, Err: err}
	case brokenConn(err), l.config.Unavailable != nil && l.config.Unavailable(err):
		return &Error{Err: err}
	default:
		return nil
	}
}

// brokenConn reports whether err is that of a connection which was not made, or broke.
func brokenConn(err error) bool {
	var op *net.OpError
	if errors.As(err, &op) {
		return true
	}
	for _, sign := range [...]error{driver.ErrBadConn, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE} {
		if errors.Is(err, sign) {
			return true
		}
	}
	return false
}

// Fail answers a request whose handler ended with err, in one way for all handlers. An
// error that is a limit becomes 503 with Retry-After: an [*Error],
// context.DeadlineExceeded, or any error whose Timeout method reports true. So does a
// connection that failed; see Config.Unavailable. An [*Error] with ReasonBody becomes
// 408. Every other error becomes 500. If the client has left nothing is sent, and if part
// of a response went out already it is cut off by a panic with [http.ErrAbortHandler]. A
// nil err does nothing.
//
// The client sees an incident id and nothing of err; err and the id are in the event.
// Fail is for handlers under Handler; elsewhere it cannot know whether a response has
// begun.
func (l *Limiter) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil {
		return
	}
	event := Event{Kind: KindFailed, Method: r.Method, Path: r.URL.Path, Err: err, Status: http.StatusInternalServerError}
	if errors.Is(err, context.Canceled) && errors.Is(r.Context().Err(), context.Canceled) {
		// Counted as gone where the handler ends. To return would be to answer 200.
		panic(http.ErrAbortHandler)
	}
	e := l.limit(err)
	if e != nil {
		event.Status = http.StatusServiceUnavailable
		if e.Reason == ReasonBody {
			event.Status = http.StatusRequestTimeout
		}
		event.Backend, event.Reason, event.Limit, event.Elapsed = e.Backend, e.Reason, e.Limit, e.Elapsed
	}
	g, _ := r.Context().Value(gateKey{}).(*gate)
	at := open
	if g != nil {
		g.mu.Lock()
		at = g.phase
		g.mu.Unlock()
	}
	switch at {
	case open:
		event.Incident = newIncident()
		l.emit(event)
		l.reply(w, r, event.Status, e, event.Incident)
	case committed:
		event.Status = 0
		l.emit(event)
		panic(http.ErrAbortHandler)
	}
}
