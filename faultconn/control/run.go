package control

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// run is the life of a proxy between two changes of its addresses.
type run struct {
	proxy    *proxy.Proxy
	listener net.Listener
}

// start serves clients that come to the listener.
func (s *Server) start(e *entry, l net.Listener) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := &proxy.Proxy{Name: e.name, Upstream: e.upstream, OnEvent: e.told}
	dial := e.inj.Dialer(e.name, s.Dial)
	if s.WrapDial != nil {
		dial = s.WrapDial(e.name, dial)
	}
	p.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		e.mu.Lock()
		network, address := split(e.upstream) // it can change while the proxy runs
		e.mu.Unlock()
		e.dials.Add(1)
		return dial(ctx, network, address)
	}
	e.listen = join(l.Addr(), e.listen)
	e.run = &run{proxy: p, listener: l}
	s.closing.Add(1)
	go func() {
		defer s.closing.Done()
		_ = p.Serve(l) // ends with stop; the listener's own failure ends it too
	}()
}

// patience is how long a call waits for connections to be gone. They end at
// once; what keeps one is a Close that hangs in the system, and the call need
// not hang with it.
const patience = time.Second

// stop ends the proxy's connections. The address is free when it returns.
func (s *Server) stop(e *entry) {
	e.mu.Lock()
	r := e.run
	e.run = nil
	e.mu.Unlock()
	if r == nil {
		return
	}
	_ = r.listener.Close()
	// A plan can make closing slow, or keep it from the peer. Here it is not
	// the application that closes, so no plan is in force meanwhile.
	if undo, err := e.inj.With(faultconn.Plan{}); err == nil { // it always is
		defer undo()
	}
	done := make(chan struct{})
	s.closing.Add(1)
	go func() {
		defer s.closing.Done()
		defer close(done)
		_ = r.proxy.Close()
	}()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-done:
	case <-t.C:
	}
}

// moving is a change of where a proxy listens and leads to, and of whether it
// runs, of which nothing can fail any more.
type moving struct {
	e                *entry
	listen, upstream string
	enabled          bool
	listener         net.Listener // nil: it needs none
	back             string       // where to listen again if it is cancelled; "": it has not stopped
}

// move changes where a proxy listens and leads to, and whether it runs. Its
// connections end, if anything changes. On an error nothing has.
func (s *Server) move(e *entry, listen, upstream string, enabled bool) error {
	m, err := s.prepare(e, listen, upstream, enabled)
	if err != nil {
		return err
	}
	s.commit(m)
	return nil
}

// prepare does what can fail of a move. The result goes to commit or cancel; it
// is nil if there is nothing to change. On an error nothing has changed, but that
// connections have ended if the proxy was to listen on its own port, with another
// host, and somebody else has that too.
func (s *Server) prepare(e *entry, listen, upstream string, enabled bool) (*moving, error) {
	was := e.describe()
	moved := !same(listen, was.Listen)
	if !moved {
		listen = was.Listen
	}
	if !moved && upstream == was.Upstream && enabled == !was.Disabled {
		return nil, nil
	}
	if err := checkAddresses(listen, upstream); err != nil {
		return nil, err
	}
	if err := s.checkLoop(listen, upstream); err != nil {
		return nil, err
	}
	m := &moving{e: e, listen: listen, upstream: upstream, enabled: enabled}
	if !enabled || !moved && !was.Disabled {
		return m, nil
	}
	l, err := s.listen(listen)
	if errors.Is(err, syscall.EADDRINUSE) && !was.Disabled && samePort(listen, was.Listen) {
		// It may be this proxy that has it: from localhost:1 to 0.0.0.0:1.
		s.stop(e)
		m.back = was.Listen
		l, err = s.listen(listen)
	}
	if err != nil {
		s.cancel(m)
		return nil, err
	}
	m.listener = l
	return m, nil
}

func (s *Server) commit(m *moving) {
	if m == nil {
		return
	}
	if m.listener != nil || !m.enabled {
		s.stop(m.e)
	}
	m.e.mu.Lock()
	m.e.listen, m.e.upstream = m.listen, m.upstream
	m.e.mu.Unlock()
	if m.listener != nil {
		s.start(m.e, m.listener)
		return
	}
	// Only the upstream is another: to listen anew could have failed.
	for _, c := range m.e.conns() {
		c.Reset()
	}
}

func (s *Server) cancel(m *moving) {
	if m == nil {
		return
	}
	if m.listener != nil {
		_ = m.listener.Close()
	}
	if m.back != "" {
		if l, err := s.listen(m.back); err == nil {
			s.start(m.e, l)
		}
	}
}
