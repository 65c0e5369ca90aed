package timeout

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
)

// What a handler sees of its response. The gate does not offer Unwrap: that would let
// http.ResponseController reach the writer past the gate. It has the methods instead.
var (
	_ http.ResponseWriter = (*gate)(nil)
	_ io.ReaderFrom       = (*gate)(nil)
	_ io.StringWriter     = (*gate)(nil)
	_ http.Flusher        = (*gate)(nil)
	_ http.Hijacker       = (*gate)(nil)
	_ http.Pusher         = (*gate)(nil)
)

// Header returns the handler's own headers. They start as a copy of what the writer had.
func (g *gate) Header() http.Header {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.header == nil {
		// Whoever has hijacked the connection may want to send them itself.
		if g.phase == open || g.phase == committed || g.phase == hijacked {
			g.header = g.w.Header().Clone()
		}
		if g.header == nil {
			g.header = make(http.Header)
		}
	}
	return g.header
}

func (g *gate) WriteHeader(code int) {
	if code < 100 || code > 999 {
		panic(fmt.Sprintf("invalid WriteHeader code %v", code)) // as net/http does
	}
	if code < 200 && code != http.StatusSwitchingProtocols {
		g.inform(code)
		return
	}
	err := g.enter(true)
	if err != nil {
		return
	}
	defer g.wrote(&err)
	g.w.WriteHeader(code)
}

// inform sends an informational response. It is not the answer: the deadline can still
// send one, with the headers that were there before.
func (g *gate) inform(code int) {
	if g.enter(false) != nil {
		return
	}
	defer g.leave()
	g.mu.Lock()
	if g.phase == open {
		if g.before == nil {
			g.before = g.w.Header().Clone()
		}
		g.publish()
	}
	g.mu.Unlock()
	g.w.WriteHeader(code)
}

// piece is how much the client must take within Config.WriteIdle.
const piece = 64 << 10

func (g *gate) Write(p []byte) (int, error) {
	if g.l.config.WriteIdle == 0 || len(p) <= piece {
		return g.write(p)
	}
	var done int
	for done < len(p) {
		n, err := g.write(p[done:min(done+piece, len(p))])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

func (g *gate) write(p []byte) (n int, err error) {
	if err := g.enter(true); err != nil {
		return 0, err
	}
	defer g.wrote(&err)
	return g.w.Write(p)
}

func (g *gate) WriteString(s string) (n int, err error) {
	if g.l.config.WriteIdle > 0 && len(s) > piece {
		return g.Write([]byte(s))
	}
	if err := g.enter(true); err != nil {
		return 0, err
	}
	defer g.wrote(&err)
	return io.WriteString(g.w, s)
}

var sniffPool = sync.Pool{New: func() any { return new([512]byte) }}

// ReadFrom keeps sendfile: what the writer can take from a file, it takes itself.
func (g *gate) ReadFrom(src io.Reader) (n int64, err error) {
	g.mu.Lock()
	fresh := g.phase == open
	g.mu.Unlock()
	if fresh {
		// The first bytes are read before the response is committed: a source that hangs
		// can still be answered for with 503.
		buf := sniffPool.Get().(*[512]byte)
		defer sniffPool.Put(buf)
		n, err = io.CopyBuffer(writerOnly{g}, io.LimitReader(src, int64(len(buf))), buf[:])
		if err != nil || n < int64(len(buf)) {
			return n, err
		}
	}
	rf, ok := g.w.(io.ReaderFrom)
	if !ok {
		m, err := io.Copy(writerOnly{g}, src)
		return n + m, err
	}
	if g.l.config.WriteIdle == 0 {
		m, err := g.readFrom(rf, src)
		return n + m, err
	}
	file, left := fileOf(src)
	if file == nil {
		// A source that is slow itself must not be held against the client, so that each
		// write gets its own time.
		m, err := io.Copy(writerOnly{g}, src)
		return n + m, err
	}
	for {
		part := &io.LimitedReader{R: file, N: min(piece, *left)}
		want := part.N
		m, err := g.readFrom(rf, part)
		n, *left = n+m, *left-m
		if err != nil || m < want || *left <= 0 {
			return n, err
		}
	}
}

func (g *gate) readFrom(rf io.ReaderFrom, src io.Reader) (n int64, err error) {
	if err := g.enter(true); err != nil {
		return 0, err
	}
	defer g.wrote(&err)
	return rf.ReadFrom(src)
}

// fileOf returns the file that src reads from, if it does, and where to keep count of
// what may still be read of it.
func fileOf(src io.Reader) (*os.File, *int64) {
	if limited, ok := src.(*io.LimitedReader); ok {
		if file, ok := limited.R.(*os.File); ok {
			return file, &limited.N
		}
		return nil, nil
	}
	if file, ok := src.(*os.File); ok {
		all := int64(1<<63 - 1)
		return file, &all
	}
	return nil, nil
}

// writerOnly hides ReadFrom from io.Copy.
type writerOnly struct{ io.Writer }
