package backoff

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// writer adds headers at the last moment: when the handler writes its own.
type writer struct {
	http.ResponseWriter
	*middleware
	request    *http.Request
	interval   time.Duration // 0 for none
	retryAfter time.Duration // for refusals; 0 for none
	stamped    bool          // the final header was written, or the connection taken
}

// stamp adds what the policy says to a response with the status code.
func (w *writer) stamp(code int) {
	w.stamped = true
	h := w.ResponseWriter.Header()
	refused := code == http.StatusServiceUnavailable || code == http.StatusTooManyRequests
	if w.interval <= 0 && !refused {
		return
	}
	var room [4]string
	names := room[:0]
	stretch := w.stretch(w.request)
	if w.interval > 0 {
		d := times(w.interval, stretch)
		for _, g := range w.groups {
			if g.poll && !w.polled(code) || g.claimed(h) {
				continue
			}
			g.set(h, seconds(d))
			names = append(names, g.keys...)
			w.emit(Event{Kind: HeaderSent, Header: g.keys[0], Wait: d})
		}
	}
	if _, claimed := h[RetryAfter]; refused && !claimed && w.retryAfter > 0 {
		d := times(w.retryAfter, stretch)
		h[RetryAfter] = []string{seconds(d)}
		names = append(names, RetryAfter)
		w.emit(Event{Kind: HeaderSent, Header: RetryAfter, Wait: d})
	}
	expose(h, names)
}

// polled reports whether the response answers a poll: 304 is what a client
// with a current copy gets each time.
func (w *writer) polled(code int) bool {
	if m := w.request.Method; m != http.MethodGet && m != http.MethodHead {
		return false
	}
	return code/100 == 2 || code == http.StatusNotModified
}

// seconds is d as a header has it: at least 1 because it rounds up, for 0
// would invite an instant retry.
func seconds(d time.Duration) string {
	return strconv.FormatInt(Value{Interval: d}.Seconds(), 10)
}

func (w *writer) WriteHeader(code int) {
	// 1xx are not final; 101 is, but after it no header has a meaning.
	if !w.stamped && code >= 200 {
		w.stamp(code)
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *writer) Write(p []byte) (int, error) {
	w.implicit()
	return w.ResponseWriter.Write(p)
}

func (w *writer) WriteString(s string) (int, error) {
	w.implicit()
	return io.WriteString(w.ResponseWriter, s)
}

// implicit is for what writes a 200 if nothing was written before.
func (w *writer) implicit() {
	if !w.stamped {
		w.stamp(http.StatusOK)
	}
}

// FlushError is what http.ResponseController calls.
func (w *writer) FlushError() error {
	w.implicit()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController set deadlines and full duplex.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Code tests a ResponseWriter for optional methods with type assertions, so a
// method must be there if, and only if, the wrapped writer has it: HTTP/1 has
// all three, HTTP/2 and httptest have Flush.
type (
	flusher    struct{ writer }
	hijacker   struct{ flusher }
	readerFrom struct{ hijacker }
)

func (w *flusher) Flush() { _ = w.FlushError() }

func (w *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil {
		w.stamped = true
	}
	return conn, rw, err
}

func (w *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	w.implicit()
	return w.ResponseWriter.(io.ReaderFrom).ReadFrom(r)
}

// wrap returns the writer for the handler and the part of it that is ours.
func wrap(w http.ResponseWriter, with writer) (http.ResponseWriter, *writer) {
	with.ResponseWriter = w
	_, canFlush := w.(http.Flusher)
	_, canHijack := w.(http.Hijacker)
	_, canReadFrom := w.(io.ReaderFrom)
	switch {
	case canFlush && canHijack && canReadFrom:
		rf := &readerFrom{hijacker{flusher{with}}}
		return rf, &rf.writer
	case canFlush && canHijack:
		hj := &hijacker{flusher{with}}
		return hj, &hj.writer
	case canFlush:
		fl := &flusher{with}
		return fl, &fl.writer
	}
	plain := new(writer) // not &with: that would allocate in every case
	*plain = with
	return plain, plain
}
