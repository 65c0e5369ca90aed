package control

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// The tests of this file are what was measured to go wrong in Toxiproxy 2.12.

// TestHalfClose has a client that ends its stream and waits for the reply.
func TestHalfClose(t *testing.T) {
	f := newFixture(t)
	f.call("POST", "/proxies/db/toxics", `{"type":"latency","attributes":{"latency":20}}`, 200)
	c := f.dial()
	if _, err := io.WriteString(c, "request"); err != nil {
		t.Fatal(err)
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(c); string(got) != "request" || err != nil {
		t.Errorf("the reply is %q, %v", got, err)
	}
}

// TestToxicityZero has a reset_peer that never strikes change nothing: there a
// normal end becomes an RST for everybody.
func TestToxicityZero(t *testing.T) {
	f := newFixture(t)
	f.call("POST", "/proxies/db/toxics", `{"type":"reset_peer","toxicity":0}`, 200)
	c := f.dial()
	c.mustAsk()
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if how := c.ended(10 * time.Second); how != "fin" {
		t.Errorf("ended: %s, want a FIN", how)
	}
}

// TestDeadUpstream gets an RST, not an end of stream as if the upstream had
// closed in good order.
func TestDeadUpstream(t *testing.T) {
	f := newFixture(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.call("POST", "/proxies/db", `{"upstream":"`+l.Addr().String()+`"}`, 200)
	_ = l.Close()
	c, err := net.Dial("tcp", f.proxy("db").Listen)
	if err != nil {
		return // the RST came before Dial returned
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("%v, want an RST", err)
	}
}

// TestResetIdle resets an idle connection, by a plan and by command. A toxic
// waits for data, as there.
func TestResetIdle(t *testing.T) {
	f := newFixture(t)
	c := f.dial()
	c.mustAsk()
	f.call("PUT", planPath, `{"rules":[{"select":{"ops":["clock"]},"fault":{"kind":"reset"}}]}`, 200)
	if how := c.ended(10 * time.Second); how != "rst" {
		t.Errorf("ended: %s, want an RST", how)
	}
}

// TestBulkLatency streams under a latency of 100 ms, which there holds a stream
// to a third of its speed, and under bandwidths, of which there a sixth is lost
// at 100 MB/s.
func TestBulkLatency(t *testing.T) {
	for _, c := range []struct {
		toxic       string
		bytes       int64
		least, most time.Duration
	}{
		{`{"type":"latency","attributes":{"latency":100}}`, 64 << 20, 100 * time.Millisecond, 105 * time.Millisecond},
		{`{"type":"bandwidth","attributes":{"rate":100}}`, 10_000_000, 99 * time.Second, 101 * time.Second},
		{`{"type":"bandwidth","attributes":{"rate":1000}}`, 10_000_000, 9900 * time.Millisecond, 10100 * time.Millisecond},
		{`{"type":"bandwidth","attributes":{"rate":100000}}`, 1_000_000_000 / 4, 2475 * time.Millisecond, 2525 * time.Millisecond},
	} {
		var toxic Toxic
		if err := toxic.decode([]byte(c.toxic)); err != nil {
			t.Fatal(err)
		}
		synctest.Test(t, func(t *testing.T) {
			var network memnet.Network
			defer network.Close()
			up, err := network.Listen("tcp", "up:1")
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				u, err := up.Accept()
				if err != nil {
					return
				}
				defer u.Close()
				_, _ = io.CopyN(u, zeros{}, c.bytes)
			}()
			s := &Server{
				Listen: func(_ context.Context, n, a string) (net.Listener, error) { return network.Listen(n, a) },
				Dial:   network.DialContext,
			}
			defer s.Close()
			if err := s.Add(Proxy{Name: "p", Listen: "p:1", Upstream: "up:1", Toxics: []Toxic{toxic}}); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			client, err := network.Dial("tcp", "p:1")
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			n, err := io.Copy(io.Discard, client)
			if n != c.bytes || err != nil {
				t.Errorf("%s: %d of %d bytes, %v", c.toxic, n, c.bytes, err)
			}
			if took := time.Since(start); took < c.least || took > c.most {
				t.Errorf("%s: %d bytes took %v, want %v to %v", c.toxic, c.bytes, took, c.least, c.most)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
