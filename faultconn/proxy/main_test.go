package proxy_test

import (
	"context"
	"net"
	"testing"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/proxy"
	"github.com/brownout-go/brownout/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A rig is a proxy on a network in memory: clients dial "proxy:1", it dials
// "backend:1", and the test accepts there.
type rig struct {
	*proxy.Proxy
	t       testing.TB
	net     *memnet.Network
	backend net.Listener
	served  chan error
}

// newRig starts a proxy. If wrap is given it wraps the proxy's dial function.
func newRig(t testing.TB, p *proxy.Proxy, wrap ...func(dialFunc) dialFunc) *rig {
	t.Helper()
	r := &rig{Proxy: p, t: t, net: &memnet.Network{}, served: make(chan error, 1)}
	var err error
	if r.backend, err = r.net.Listen("tcp", "backend:1"); err != nil {
		t.Fatal(err)
	}
	l, err := r.net.Listen("tcp", "proxy:1")
	if err != nil {
		t.Fatal(err)
	}
	p.Upstream, p.Dial = "backend:1", r.net.Host("proxy").DialContext
	for _, w := range wrap {
		p.Dial = w(p.Dial)
	}
	go func() { r.served <- p.Serve(l) }()
	return r
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// stop ends everything, and is to be deferred: cleanups run outside the bubble.
func (r *rig) stop() {
	r.t.Helper()
	r.Close()
	if err := <-r.served; err != nil {
		r.t.Errorf("Serve: %v", err)
	}
	r.net.Close()
}

func (r *rig) dial() *memnet.Conn {
	r.t.Helper()
	c, err := r.net.Host("client").Dial("tcp", "proxy:1")
	if err != nil {
		r.t.Fatal(err)
	}
	return c.(*memnet.Conn)
}

// connect returns both outer ends of a connection through the proxy.
func (r *rig) connect() (client, server *memnet.Conn) {
	r.t.Helper()
	client = r.dial()
	s, err := r.backend.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	return client, s.(*memnet.Conn)
}
