package timeout

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// What http.ResponseController reaches, and the older interfaces for the same.

func (g *gate) Flush() { _ = g.FlushError() }

// FlushError serves http.ResponseController. Like net/http's it commits a response of
// which nothing was written yet.
func (g *gate) FlushError() (err error) {
	if err := g.enter(true); err != nil {
		return err
	}
	defer g.wrote(&err)
	return g.rc.Flush()
}

func (g *gate) SetReadDeadline(deadline time.Time) error {
	if err := g.enter(false); err != nil {
		return err
	}
	defer g.leave()
	return g.rc.SetReadDeadline(deadline)
}

// SetWriteDeadline hands the time that writes may take to the handler: WriteIdle no
// longer applies, Total does.
func (g *gate) SetWriteDeadline(deadline time.Time) error {
	if err := g.enter(false); err != nil {
		return err
	}
	defer g.leave()
	g.mu.Lock()
	g.taken = true
	g.mu.Unlock()
	return g.rc.SetWriteDeadline(deadline)
}

func (g *gate) EnableFullDuplex() error {
	if err := g.enter(false); err != nil {
		return err
	}
	defer g.leave()
	return g.rc.EnableFullDuplex()
}

// Push passes to writers that can push, which today's browsers no longer accept.
func (g *gate) Push(target string, opts *http.PushOptions) error {
	pusher, ok := g.w.(http.Pusher)
	if !ok {
		return http.ErrNotSupported
	}
	if err := g.enter(false); err != nil {
		return err
	}
	defer g.leave()
	return pusher.Push(target, opts)
}

// Hijack gives the connection to the handler, and with it all responsibility for time. The
// request's context goes on to end as it would have: with Config.Stream, as a stream's does.
func (g *gate) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := g.enter(false); err != nil {
		return nil, nil, err
	}
	defer g.leave()

	g.mu.Lock()
	was := g.phase
	if was != open && was != committed { // the deadline was faster
		err := g.err
		g.mu.Unlock()
		return nil, nil, err
	}
	g.phase = hijacked
	g.publish()
	by := g.hard
	g.mu.Unlock()

	if g.r.ProtoMajor == 1 && g.body.unread() {
		// The server sends what was written before, and reads the rest of a short body
		// before that. It lifts deadlines when it hands over the connection.
		if by.IsZero() {
			by = time.Now().Add(g.total)
		}
		g.rc.SetReadDeadline(by)
	}
	conn, buf, err := g.rc.Hijack()
	g.mu.Lock()
	if err == nil {
		if was == open {
			g.begin()
		}
		g.mu.Unlock()
		return conn, buf, nil
	}
	g.phase = was
	missed := g.missed
	g.mu.Unlock()
	if missed {
		g.timer.Reset(0)
	}
	return nil, nil, err
}
