// Package memnet runs golang.org/x/net/nettest over the in-memory network. It
// is here because the root module does not depend on x/net.
package memnet

import (
	"net"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"golang.org/x/net/nettest"
)

func TestPipe(t *testing.T) {
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		a, b := memnet.Pipe()
		return a, b, func() { a.Close(); b.Close() }, nil
	})
}

func TestNetwork(t *testing.T) {
	for name, n := range map[string]*memnet.Network{
		"instant":   {},
		"latency":   {Link: memnet.Link{Latency: time.Millisecond}},
		"bandwidth": {Link: memnet.Link{Bandwidth: 100 << 20}},
		"both":      {Link: memnet.Link{Latency: time.Millisecond, Bandwidth: 100 << 20}},
		"buffer":    {Buffer: 100},
	} {
		t.Run(name, func(t *testing.T) {
			defer n.Close()
			nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) { return pair(n) })
		})
	}
}

func pair(n *memnet.Network) (client, server net.Conn, stop func(), err error) {
	l, err := n.Listen("tcp", "server:0")
	if err != nil {
		return nil, nil, nil, err
	}
	defer l.Close()
	if client, err = n.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, nil, err
	}
	if server, err = l.Accept(); err != nil {
		client.Close()
		return nil, nil, nil, err
	}
	return client, server, func() { client.Close(); server.Close() }, nil
}
