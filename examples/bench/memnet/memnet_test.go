// Package memnet measures connections in memory side by side: ours, net.Pipe
// and grpc's bufconn, with the loopback interface for scale.
package memnet

import (
	"io"
	"net"
	"testing"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"google.golang.org/grpc/test/bufconn"
)

var makers = []struct {
	name string
	make func(testing.TB) (client, server net.Conn)
}{
	{"memnet", func(tb testing.TB) (net.Conn, net.Conn) { return memnet.Pipe() }},
	{"net.Pipe", func(tb testing.TB) (net.Conn, net.Conn) { return net.Pipe() }},
	{"bufconn", func(tb testing.TB) (net.Conn, net.Conn) {
		l := bufconn.Listen(256 << 10)
		defer l.Close()
		return dialed(tb, l, func() (net.Conn, error) { return l.Dial() })
	}},
	{"loopback", func(tb testing.TB) (net.Conn, net.Conn) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer l.Close()
		return dialed(tb, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
	}},
}

func dialed(tb testing.TB, l net.Listener, dial func() (net.Conn, error)) (client, server net.Conn) {
	accepted := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			tb.Error(err)
		}
		accepted <- c
	}()
	client, err := dial()
	if err != nil {
		tb.Fatal(err)
	}
	return client, <-accepted
}

// BenchmarkRoundTrip is a message of 64 bytes there and back.
func BenchmarkRoundTrip(b *testing.B) {
	for _, m := range makers {
		b.Run(m.name, func(b *testing.B) {
			client, server := m.make(b)
			done := make(chan struct{})
			go func() {
				defer close(done)
				p := make([]byte, 64)
				for {
					if _, err := io.ReadFull(server, p); err != nil {
						return
					}
					if _, err := server.Write(p); err != nil {
						return
					}
				}
			}()
			p := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Write(p); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(client, p); err != nil {
					b.Fatal(err)
				}
			}
			client.Close()
			<-done
			server.Close()
		})
	}
}

// BenchmarkStream is writes of 64 KiB one way.
func BenchmarkStream(b *testing.B) {
	const size = 64 << 10
	for _, m := range makers {
		b.Run(m.name, func(b *testing.B) {
			client, server := m.make(b)
			done := make(chan struct{})
			go func() {
				defer close(done)
				p := make([]byte, size)
				for {
					if _, err := server.Read(p); err != nil {
						return
					}
				}
			}()
			p := make([]byte, size)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.Write(p); err != nil {
					b.Fatal(err)
				}
			}
			client.Close()
			<-done
			server.Close()
		})
	}
}
