package faultconn_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// must puts a plan in force.
func must(t testing.TB, inj *faultconn.Injector, p faultconn.Plan) {
	t.Helper()
	if err := inj.SetPlan(p); err != nil {
		t.Fatal(err)
	}
}

// update changes the plan in force.
func update(t testing.TB, inj *faultconn.Injector, p faultconn.Plan) {
	t.Helper()
	if err := inj.Update(p); err != nil {
		t.Fatal(err)
	}
}

// pipe is a connection in memory with a wrapped client side; it closes with the
// test.
func pipe(t testing.TB, inj *faultconn.Injector) (client, server net.Conn) {
	a, b := memnet.Pipe()
	client = inj.Conn("db", a)
	t.Cleanup(func() {
		client.Close()
		b.Close()
	})
	return client, b
}

// tcp is a connection over loopback; it closes with the test.
func tcp(t testing.TB, inj *faultconn.Injector) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err = inj.Dialer("db", nil)(context.Background(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client, server
}

// echo answers each read with what it read, until the connection ends.
func echo(c net.Conn) {
	defer c.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		if err != nil {
			return
		}
		if _, err := c.Write(b[:n]); err != nil {
			return
		}
	}
}

// call is one exchange: it returns the reply of as many bytes, and how long it
// took.
func call(c net.Conn, text string) (string, time.Duration, error) {
	start := time.Now()
	if _, err := c.Write([]byte(text)); err != nil {
		return "", time.Since(start), err
	}
	b := make([]byte, len(text))
	n, err := io.ReadFull(c, b)
	return string(b[:n]), time.Since(start), err
}
