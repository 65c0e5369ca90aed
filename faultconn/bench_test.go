package faultconn_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// null is a connection that does nothing, so that only the wrapper costs.
type null struct{ net.Conn }

func (null) Read(b []byte) (int, error)  { return len(b), nil }
func (null) Write(b []byte) (int, error) { return len(b), nil }
func (null) RemoteAddr() net.Addr        { return nil }
func (null) Close() error                { return nil }

func BenchmarkNull(b *testing.B) {
	var none, elsewhere, here faultconn.Injector
	must(b, &elsewhere, faultconn.Plan{Rules: []faultconn.Rule{{Select: faultconn.Select{Point: "other"}, Fault: fault.Hang{}}}})
	must(b, &here, faultconn.Plan{Rules: []faultconn.Rule{{Select: dials, Fault: fault.Hang{}}}})
	for _, c := range []struct {
		name string
		conn net.Conn
	}{
		{"bare", null{}},
		{"no plan", none.Conn("db", null{})},
		{"plan for another point", elsewhere.Conn("db", null{})},
		{"plan for other operations", here.Conn("db", null{})},
	} {
		defer c.conn.Close()
		buf := make([]byte, 64)
		b.Run(c.name+"/read", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.conn.Read(buf)
			}
		})
		b.Run(c.name+"/write", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.conn.Write(buf)
			}
		})
	}
}

// BenchmarkRoundTrip measures 64 bytes there and back over loopback, the bare
// connection and the wrapped ones in turns, so that the machine's mood is the
// same for all.
func BenchmarkRoundTrip(b *testing.B) {
	var inj faultconn.Injector
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	pair := func(wrap bool) net.Conn {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		s, err := ln.Accept()
		if err != nil {
			b.Fatal(err)
		}
		if wrap {
			c, s = inj.Conn("client", c), inj.Conn("server", s)
		}
		go echo(s)
		return c
	}
	bare, wrapped := pair(false), pair(true)
	defer bare.Close()
	defer wrapped.Close()
	buf := make([]byte, 64)
	trips := func(c net.Conn, n int) time.Duration {
		start := time.Now()
		for range n {
			if _, err := c.Write(buf); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, buf); err != nil {
				b.Fatal(err)
			}
		}
		return time.Since(start)
	}
	const batch = 50
	var first, second time.Duration
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		first += trips(bare, batch)
		second += trips(wrapped, batch)
		n += batch
	}
	b.ReportMetric(float64(first.Nanoseconds())/float64(n), "bare-ns")
	b.ReportMetric(float64(second.Nanoseconds())/float64(n), "wrapped-ns")
	b.ReportMetric(float64(second)/float64(first), "ratio")
}
