package memnet

import (
	"net"
	"testing"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/proxy"
	"golang.org/x/net/nettest"
)

// What a proxy without faults puts between two ends leaves them conns, over
// memory and over the kernel's sockets.
func TestThroughProxy(t *testing.T) {
	n := &memnet.Network{}
	defer n.Close()
	for name, over := range map[string]struct {
		listen func(network, address string) (net.Listener, error)
		dial   func(network, address string) (net.Conn, error)
		proxy  *proxy.Proxy
	}{
		"memnet": {n.Listen, n.Dial, &proxy.Proxy{Dial: n.DialContext}},
		"tcp":    {net.Listen, net.Dial, &proxy.Proxy{}},
		"tcp, injector without a plan": {net.Listen, net.Dial, &proxy.Proxy{
			Dial: new(faultconn.Injector).Dialer("backend", nil),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			backend, err := over.listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer backend.Close()
			front, err := over.listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			over.proxy.Upstream = backend.Addr().String()
			go over.proxy.Serve(front)
			defer over.proxy.Close()
			nettest.TestConn(t, func() (client, server net.Conn, stop func(), err error) {
				if client, err = over.dial("tcp", front.Addr().String()); err != nil {
					return nil, nil, nil, err
				}
				if server, err = backend.Accept(); err != nil {
					client.Close()
					return nil, nil, nil, err
				}
				return client, server, func() { client.Close(); server.Close() }, nil
			})
		})
	}
}
