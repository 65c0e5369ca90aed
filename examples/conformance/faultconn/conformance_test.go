// Package conformance runs the tests of golang.org/x/net/nettest, which say what
// a net.Conn is, over wrapped connections: with no plan, and with plans that
// change when data come but not which. It is here because the root module does
// not depend on x/net.
package conformance

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

func plan(faults ...faultconn.Fault) faultconn.Plan {
	var p faultconn.Plan
	for _, f := range faults {
		p.Rules = append(p.Rules, faultconn.Rule{Fault: f})
	}
	return p
}

func TestConn(t *testing.T) {
	var mem memnet.Network
	defer mem.Close()
	for _, network := range []struct {
		name   string
		listen func(dir string) (net.Listener, error)
		dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	}{
		{"tcp", func(string) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }, nil},
		{"unix", func(dir string) (net.Listener, error) { return net.Listen("unix", filepath.Join(dir, "s")) }, nil},
		{"memnet", func(string) (net.Listener, error) { return mem.Listen("tcp", "db:0") }, mem.DialContext},
	} {
		for _, p := range []struct {
			name string
			plan faultconn.Plan
		}{
			{"no plan", faultconn.Plan{}},
			{"plan for another point", faultconn.Plan{Rules: []faultconn.Rule{{Select: faultconn.Select{Point: "other"}, Fault: fault.Hang{}}}}},
			{"latency", plan(fault.Delay{For: time.Millisecond})},
			{"slicing", plan(fault.Slice{Size: 700, Vary: 300})},
			{"bandwidth", plan(fault.Bandwidth{Rate: 100 << 20})},
			{"all of them", plan(fault.Delay{For: time.Millisecond}, fault.Slice{Size: 4000}, fault.Bandwidth{Rate: 200 << 20})},
		} {
			t.Run(network.name+"/"+p.name, func(t *testing.T) {
				dir := t.TempDir()
				nettest.TestConn(t, func() (client, server net.Conn, stop func(), err error) {
					var inj faultconn.Injector
					if err := inj.SetPlan(p.plan); err != nil {
						return nil, nil, nil, err
					}
					inner, err := network.listen(dir)
					if err != nil {
						return nil, nil, nil, err
					}
					ln := inj.Listener("server", inner)
					defer ln.Close()
					if client, err = inj.Dialer("client", network.dial)(context.Background(), inner.Addr().Network(), inner.Addr().String()); err != nil {
						return nil, nil, nil, err
					}
					if server, err = ln.Accept(); err != nil {
						client.Close()
						return nil, nil, nil, err
					}
					return client, server, func() { client.Close(); server.Close() }, nil
				})
			})
		}
	}
}
