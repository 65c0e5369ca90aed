package timeout

import (
	"net/http"
	"runtime/debug"
	"time"
)

// Handler returns next with a time budget around it.
//
// A request that is not answered when Config.Total has passed is answered 503 by a timer.
// From then on nothing the handler writes reaches the client; its writes return an
// [*Error]. A response that has begun by then is cut off: HTTP/1 connections are closed,
// HTTP/2 streams reset, and the handler's goroutine ends in a panic with
// [http.ErrAbortHandler] so that middleware outside sees it too. A hijacked connection is
// left alone.
//
// A handler that returns after its context has ended, and has written nothing, is
// answered for with the same 503: that it obeyed does not make its silence a success.
//
// A handler that reads a request body which does not come gets os.ErrDeadlineExceeded
// from its read at the deadline. If the client left before the answer was due, none is
// sent.
//
// Differences from http.TimeoutHandler:
//
//   - The response is not held back, so memory use does not depend on its size, Flush
//     works, and time to first byte is the handler's.
//   - On HTTP/1 the handler runs on the goroutine of the connection. Panics keep their
//     stacks, also after the deadline. ServeHTTP returns when the handler does, so that
//     limits outside count what really runs, and the connection is closed after a 503.
//   - On HTTP/2 the handler has a goroutine of its own, because a stream ends when
//     ServeHTTP returns and a 503 without an end would keep the client waiting. A panic
//     there is raised again with its first stack in its text.
//   - Hijack, ReadFrom (sendfile) and all of [http.ResponseController] work.
//   - Informational responses pass when they are written.
//   - The 503 has Retry-After, Cache-Control: no-store, a Content-Type and a
//     Content-Length.
//   - The request's context ends Config.Grace earlier, with an [*Error] as its cause.
//
// Differences from the bare handler: when the handler has returned, the Limiter sets the
// time by which what is buffered must be sent. http.Server.WriteTimeout applies until
// then; it knows nothing of the answer that is due, so let it be zero or longer. The
// ResponseWriter always has Flush, Hijack, Push and ReadFrom methods; they report
// http.ErrNotSupported, or do without, where the server's writer lacks them.
// http.MaxBytesReader does not make the server close the connection. Headers that
// the handler set and did not send are dropped from a 503 unless it called [Keep]; those
// set by middleware outside are kept.
//
// Middleware outside whose ResponseWriter hides the server's, with no Unwrap method, takes
// from the Limiter what it works with: no deadline can be set then, and a 503 that cannot
// be flushed waits for the handler. Put the Limiter outside of such middleware.
//
// Limiters nest; the tighter one answers. A Limiter may be shared by any number of handlers.
func (l *Limiter) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := &gate{l: l, w: w, rc: *http.NewResponseController(w), r: r, start: time.Now(), total: l.total(r)}
		g.changed.L = &g.mu
		g.hard = g.start.Add(g.total)
		if r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0 {
			g.body = &body{ReadCloser: r.Body, g: g}
		}
		if l.slots != nil && !g.admit() {
			return
		}
		g.context()
		g.yield()
		inner := r.WithContext(&g.ctx)
		if g.body != nil {
			inner.Body = g.body
		}
		l.inFlight.add(1)
		if r.ProtoMajor == 1 {
			g.inline(next, inner)
		} else {
			g.beside(next, inner)
		}
	})
}

// admit takes a slot for the handler, or answers.
func (g *gate) admit() bool {
	wait := min(g.l.config.QueueWait, g.total)
	why, ok := g.l.slots.take(g.r.Context(), wait)
	if ok {
		return true
	}
	if why == "" || g.gone() {
		g.l.gone.Add(1)
		g.l.emit(Event{Kind: KindGone, Elapsed: time.Since(g.start), Method: g.r.Method, Path: g.r.URL.Path, Err: g.r.Context().Err()})
		panic(http.ErrAbortHandler)
	}
	if why == ReasonFull {
		wait = 0
	}
	e := &Error{Reason: why, Limit: wait, Elapsed: time.Since(g.start)}
	g.l.refused.Add(1)
	incident := newIncident()
	g.flushBy(g.hard)
	g.l.reply(g.w, g.r, http.StatusServiceUnavailable, e, incident)
	g.l.emit(Event{
		Kind: KindRefused, Reason: why, Limit: wait, Elapsed: e.Elapsed,
		Method: g.r.Method, Path: g.r.URL.Path, Incident: incident, Err: e,
	})
	return false
}

// context sets up the handler's context, which ends at the soft deadline.
func (g *gate) context() {
	soft := g.total - g.l.grace(g.total)
	c := &g.ctx
	c.gate, c.soft, c.cause = g, g.start.Add(soft), g.l.cause
	if g.l.cause.Limit != soft {
		c.cause = softCause(soft)
	}
	if g.l.config.Stream != 0 {
		g.stream, c.cancel = withMovableDeadline(g.r.Context(), c.soft, c.cause)
		c.ctx = g.stream
	}
}

// inline runs the handler on this goroutine.
func (g *gate) inline(next http.Handler, inner *http.Request) {
	g.arm()
	panicking := true
	defer func() {
		end := g.finish(panicking)
		g.timer.Stop()
		g.done(end)
		// What the handler learned about the request is the server's to clean up.
		g.r.MultipartForm, g.r.Pattern = inner.MultipartForm, inner.Pattern
		g.ctx.end()
		switch {
		case panicking && (end == expired || end == aborted):
			// Raised again right here, a panic keeps the stack it came from.
			value := recover()
			if value == nil {
				return // runtime.Goexit
			}
			if value != http.ErrAbortHandler {
				g.l.emit(Event{Kind: KindPanic, Method: g.r.Method, Path: g.r.URL.Path, Panic: value, Stack: debug.Stack()})
			}
			panic(value)
		case panicking:
		case end == aborted:
			panic(http.ErrAbortHandler)
		}
	}()
	next.ServeHTTP(g, inner)
	panicking = false
}

// yield leaves the answer to a Limiter outside if that one's deadline comes first, or at
// the same time: only one can write it, and what this one writes is that one's response.
func (g *gate) yield() {
	outer, ok := g.r.Context().Value(gateKey{}).(*gate)
	if !ok {
		return
	}
	outer.mu.Lock()
	by := outer.hard
	outer.mu.Unlock()
	if !by.IsZero() && g.hard.Add(minGrace).After(by) {
		g.outer = outer
		g.hard = by.Add(minGrace)
		g.total = g.hard.Sub(g.start)
	}
}

// arm starts the timer. The mutex makes it visible to the timer's own function.
func (g *gate) arm() {
	left := g.total
	if g.l.slots != nil {
		left = time.Until(g.hard) // some of it may have gone by in the queue
	}
	g.mu.Lock()
	g.timer = time.AfterFunc(left, g.expire)
	g.mu.Unlock()
}

// beside runs the handler on a goroutine of its own, and returns when it does or when the
// deadline has answered for it.
func (g *gate) beside(next http.Handler, inner *http.Request) {
	g.ended = make(chan struct{})
	returned := make(chan *crash, 1)
	g.arm()
	go func() {
		var c *crash
		panicking := true
		defer func() {
			if panicking {
				c = &crash{recover(), debug.Stack()}
			}
			end := g.finish(panicking)
			g.timer.Stop()
			g.ctx.end()
			if end == expired || end == aborted {
				if inner.MultipartForm != nil {
					inner.MultipartForm.RemoveAll()
				}
				if c != nil && c.value != nil && c.value != http.ErrAbortHandler {
					g.l.panicked(g.r, c.value, c.stack)
				}
			}
			g.done(end)
			returned <- c
		}()
		next.ServeHTTP(g, inner)
		panicking = false
	}()

	var c *crash
	select {
	case c = <-returned:
	case <-g.ended:
	}
	g.mu.Lock()
	end := g.phase
	g.mu.Unlock()
	switch {
	case end == aborted:
		panic(http.ErrAbortHandler)
	case end == expired:
	case c != nil:
		c.again()
	default:
		g.r.MultipartForm, g.r.Pattern = inner.MultipartForm, inner.Pattern
	}
}

// done keeps the books when a handler has returned.
func (g *gate) done(end phase) {
	if g.l.slots != nil {
		g.l.slots.free()
	}
	defer g.l.inFlight.add(-1)
	switch end {
	case expired, aborted:
		g.l.abandoned.Add(-1)
	default:
		if g.gone() && end != hijacked {
			g.l.gone.Add(1)
			g.l.emit(Event{
				Kind: KindGone, Elapsed: time.Since(g.start),
				Method: g.r.Method, Path: g.r.URL.Path, Err: g.r.Context().Err(),
			})
		}
	}
}
