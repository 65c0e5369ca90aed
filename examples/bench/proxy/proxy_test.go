// Package proxy measures proxies without faults side by side: ours, ours under
// an injector with no plan, a forwarder that is two calls of io.Copy, and
// Toxiproxy, all in this process, with no proxy at all for scale.
package proxy

import (
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/proxy"
	"github.com/rs/zerolog"
)

// makers start a proxy in front of upstream and return its address.
var makers = []struct {
	name string
	make func(b *testing.B, upstream string) string
}{
	{"direct", func(b *testing.B, upstream string) string { return upstream }},
	{"io.Copy", forwarder},
	{"brownout", func(b *testing.B, upstream string) string {
		return serve(b, &proxy.Proxy{Upstream: upstream})
	}},
	{"brownout-injector", func(b *testing.B, upstream string) string {
		inj := &faultconn.Injector{}
		return serve(b, &proxy.Proxy{Upstream: upstream, Dial: inj.Dialer("backend", nil)})
	}},
	{"toxiproxy", func(b *testing.B, upstream string) string {
		srv := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
		p := toxiproxy.NewProxy(srv, "p", "127.0.0.1:0", upstream)
		if err := p.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(p.Stop)
		return p.Listen
	}},
}

func listen(b *testing.B) net.Listener {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	return l
}

func serve(b *testing.B, p *proxy.Proxy) string {
	b.Helper()
	l := listen(b)
	go p.Serve(l)
	b.Cleanup(func() { p.Close() })
	return l.Addr().String()
}

// forwarder is what one writes in fifteen lines.
func forwarder(b *testing.B, upstream string) string {
	b.Helper()
	l := listen(b)
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", upstream)
				if err != nil {
					return
				}
				defer server.Close()
				go func() {
					io.Copy(server, client)
					server.(*net.TCPConn).CloseWrite()
				}()
				io.Copy(client, server)
			}()
		}
	}()
	return l.Addr().String()
}

func dial(b *testing.B, address string) net.Conn {
	b.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// echo serves l with f in a goroutine for each connection.
func echo(l net.Listener, f func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			f(c)
		}()
	}
}

// pong sends messages of 64 bytes back.
func pong(c net.Conn) {
	p := make([]byte, 64)
	for {
		if _, err := io.ReadFull(c, p); err != nil {
			return
		}
		if _, err := c.Write(p); err != nil {
			return
		}
	}
}

func each(b *testing.B, backend func(net.Conn), run func(b *testing.B, address string)) {
	for _, m := range makers {
		b.Run(m.name, func(b *testing.B) {
			l := listen(b)
			defer l.Close()
			go echo(l, backend)
			run(b, m.make(b, l.Addr().String()))
		})
	}
}

// BenchmarkStream is writes of 64 KiB one way.
func BenchmarkStream(b *testing.B) {
	sink := func(c net.Conn) { io.Copy(io.Discard, struct{ io.Reader }{c}) }
	each(b, sink, func(b *testing.B, address string) {
		c := dial(b, address)
		defer c.Close()
		p := make([]byte, 64<<10)
		b.SetBytes(int64(len(p)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Write(p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRoundTrip is 64 bytes there and back.
func BenchmarkRoundTrip(b *testing.B) {
	each(b, pong, func(b *testing.B, address string) {
		c := dial(b, address)
		defer c.Close()
		p := make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Write(p); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkConnect is a new connection, a round trip on it, and its end.
func BenchmarkConnect(b *testing.B) {
	each(b, pong, func(b *testing.B, address string) {
		p := make([]byte, 64)
		b.ReportAllocs()
		for b.Loop() {
			c := dial(b, address)
			if _, err := c.Write(p); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				b.Fatal(err)
			}
			// With an RST, or the machine runs out of ports in TIME_WAIT.
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		}
	})
}

// BenchmarkIdle counts what a quiet connection holds; its time means nothing.
// What client and backend hold is the same for all: "direct" shows it.
//
// It counts the second half of the connections. The stack that a goroutine gets
// is as large as others have needed on average, and here those of the first half
// are the others, as on a server that runs, and not those of the test.
func BenchmarkIdle(b *testing.B) {
	const conns = 500
	each(b, pong, func(b *testing.B, address string) {
		p := make([]byte, 64)
		open := func() (all []net.Conn) {
			for range conns {
				c := dial(b, address)
				c.Write(p)
				if _, err := io.ReadFull(c, p); err != nil {
					b.Fatal(err)
				}
				all = append(all, c)
			}
			return all
		}
		for b.Loop() {
			first := open()
			goroutines, bytes := usage()
			second := open()
			g, m := usage()
			b.ReportMetric(float64(g-goroutines)/conns, "goroutines/conn")
			b.ReportMetric(float64(m-bytes)/conns, "B/conn")
			for _, c := range append(first, second...) {
				c.Close()
			}
		}
	})
}

func usage() (goroutines int, bytes int64) {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), int64(m.HeapAlloc + m.StackInuse)
}
