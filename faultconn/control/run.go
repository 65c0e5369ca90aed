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

// move changes where a proxy listens and leads to, and whether it runs. Its
// connections end, if anything changes. On an error nothing has, but that they
// have ended if it was to listen on its own port, with another host, and somebody
// else has that too.
func (s *Server) move(e *entry, listen, upstream string, enabled bool) error {
	was := e.describe()
	moved := !same(listen, was.Listen)
	if !moved {
		listen = was.Listen
	}
	if !moved && upstream == was.Upstream && enabled == !was.Disabled {
		return nil
	}
	if err := checkAddresses(listen, upstream); err != nil {
		return err
	}
	if err := s.checkLoop(listen, upstream); err != nil {
		return err
	}
	var l net.Listener
	if enabled && (moved || was.Disabled) {
		var err error
		if l, err = s.listen(listen); errors.Is(err, syscall.EADDRINUSE) && !was.Disabled && samePort(listen, was.Listen) {
			// It may be this proxy that has it: from localhost:1 to 0.0.0.0:1.
			s.stop(e)
			if l, err = s.listen(listen); err != nil {
				if back, failed := s.listen(was.Listen); failed == nil {
					s.start(e, back)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	if l != nil || !enabled {
		s.stop(e)
	}
	e.mu.Lock()
	e.listen, e.upstream = listen, upstream
	e.mu.Unlock()
	if l != nil {
		s.start(e, l)
		return nil
	}
	// Only the upstream is another: to listen anew could fail.
	for _, c := range e.conns() {
		c.Reset()
	}
	return nil
}
