package timeout

import (
	"io"
	"sync"
	"time"
)

// body is a request's body. It notes when its end was read: after that the server watches
// the connection for its end, and an expired read deadline would look to it like a client
// that left. And it holds the client to Config.ReadIdle.
type body struct {
	io.ReadCloser
	g *gate

	mu  sync.Mutex
	eof bool
	err error // once the client was too slow
}

func (b *body) Read(p []byte) (int, error) {
	idle := b.g.l.config.ReadIdle
	if idle == 0 {
		return b.read(p)
	}
	b.mu.Lock()
	err := b.err
	b.mu.Unlock()
	if err != nil {
		return 0, err
	}
	start := time.Now()
	// A timer and not a read deadline: on HTTP/2 a deadline that passes between two reads
	// ends the body too.
	ended := make(chan struct{})
	timer := time.AfterFunc(idle, func() {
		defer close(ended)
		if b.g.enter(false) == nil {
			defer b.g.leave()
			b.g.endRead()
		}
	})
	n, err := b.read(p)
	if timer.Stop() {
		return n, err
	}
	<-ended
	if err == io.EOF { // just in time
		b.g.SetReadDeadline(time.Time{})
		return n, err
	}
	e := &Error{Reason: ReasonBody, Limit: idle, Elapsed: time.Since(start), RetryAfter: -1, Err: err}
	b.mu.Lock()
	b.err = e
	b.mu.Unlock()
	return n, e
}

func (b *body) read(p []byte) (int, error) {
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
