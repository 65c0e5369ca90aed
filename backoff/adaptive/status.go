package adaptive

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// watched notes the status of a response. One that was begun in any other way
// than by WriteHeader is a success, so Write need not be watched.
type watched struct {
	http.ResponseWriter
	code int // 0 for none
}

func (w *watched) WriteHeader(code int) {
	if w.code < 200 { // the first that is final
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *watched) WriteString(s string) (int, error) { return io.WriteString(w.ResponseWriter, s) }

func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The methods that code finds by type assertion, in the combinations that
// servers have: HTTP/2 and httptest the first, HTTP/1 all.
type (
	flusher interface {
		http.ResponseWriter
		http.Flusher
	}
	hijacker interface {
		flusher
		http.Hijacker
	}
	readerFrom interface {
		hijacker
		io.ReaderFrom
	}
)

type watchedFlusher struct {
	watched
	w http.Flusher
}

func (w *watchedFlusher) Flush() { w.w.Flush() }

type watchedHijacker struct {
	watchedFlusher
	w http.Hijacker
}

func (w *watchedHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.w.Hijack() }

type watchedReaderFrom struct {
	watchedHijacker
	w io.ReaderFrom
}

func (w *watchedReaderFrom) ReadFrom(r io.Reader) (int64, error) { return w.w.ReadFrom(r) }

// watch returns the writer for the handler, and where the status will be.
func watch(w http.ResponseWriter) (http.ResponseWriter, *int) {
	base := watched{ResponseWriter: w}
	switch f := w.(type) {
	case readerFrom:
		rf := &watchedReaderFrom{watchedHijacker{watchedFlusher{base, f}, f}, f}
		return rf, &rf.code
	case hijacker:
		hj := &watchedHijacker{watchedFlusher{base, f}, f}
		return hj, &hj.code
	case flusher:
		fl := &watchedFlusher{base, f}
		return fl, &fl.code
	}
	plain := new(watched)
	*plain = base
	return plain, &plain.code
}
