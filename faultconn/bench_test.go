package faultconn_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
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

// BenchmarkBulk moves a stream over loopback under a delay of 100 ms and, in
// turns, through a bare connection whose reader starts 100 ms late: that much the
// delay is meant to cost, and the kernel's window closes in both. The ratio is
// what it costs beyond, and must not fall below 0.95.
func BenchmarkBulk(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	var inj faultconn.Injector
	const delay, size = 100 * time.Millisecond, 1 << 30
	must(b, &inj, one(fault.Delay{For: delay}))
	move := func(wrap bool) time.Duration {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		if wrap {
			c = inj.Conn("db", c)
		}
		defer c.Close()
		s, err := ln.Accept()
		if err != nil {
			b.Fatal(err)
		}
		go func() {
			defer s.Close()
			piece := make([]byte, 64<<10)
			for range size / len(piece) {
				if _, err := s.Write(piece); err != nil {
					return
				}
			}
		}()
		start := time.Now()
		if !wrap {
			time.Sleep(delay)
		}
		buf := make([]byte, 64<<10)
		for {
			if _, err := c.Read(buf); err != nil {
				return time.Since(start)
			}
		}
	}
	var bare, delayed time.Duration
	for b.Loop() {
		bare += move(false)
		delayed += move(true)
	}
	b.ReportMetric(float64(size)*float64(b.N)/bare.Seconds()/1e6, "late-MB/s")
	b.ReportMetric(float64(size)*float64(b.N)/delayed.Seconds()/1e6, "delayed-MB/s")
	b.ReportMetric(float64(bare)/float64(delayed), "ratio")
}

// BenchmarkVirtualTime is what long faults cost a test in real time.
func BenchmarkVirtualTime(b *testing.B) {
	b.Run("a delay of twenty seconds", func(b *testing.B) {
		for b.Loop() {
			inBubble(b, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, one(fault.Delay{For: 20 * time.Second}))
				client, server := pipe(t, &inj)
				go echo(server)
				if _, d, err := call(client, "hello"); d != 20*time.Second || err != nil {
					t.Errorf("took %v, %v", d, err)
				}
			})
		}
	})
	b.Run("ten thousand connections for an hour", func(b *testing.B) {
		for b.Loop() {
			inBubble(b, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{
					{Name: "slow", Chance: 0.3, Fault: fault.Delay{For: time.Second, Jitter: time.Second}},
					{Name: "outage", When: faultconn.When{After: 58 * time.Minute, Before: 59 * time.Minute}, Fault: fault.Blackout{}},
				}})
				var all sync.WaitGroup
				for range 10_000 {
					client, server := pipe(t, &inj)
					all.Go(func() { echo(server) })
					all.Go(func() {
						for {
							if _, _, err := call(client, "x"); err != nil {
								return
							}
							time.Sleep(6 * time.Minute)
						}
					})
				}
				start := time.Now()
				all.Wait()
				if d := time.Since(start); d < 58*time.Minute {
					t.Errorf("over after %v", d)
				}
			})
		}
	})
}

// inBubble runs f as a test of its own under testing/synctest.
func inBubble(b *testing.B, f func(t *testing.T)) {
	ok := testing.RunTests(func(_, _ string) (bool, error) { return true, nil }, []testing.InternalTest{{
		Name: b.Name(), F: func(t *testing.T) { synctest.Test(t, f) },
	}})
	if !ok {
		b.Fail()
	}
}

// BenchmarkLateMessage is what a message costs that is late: those of a server
// that sends one every ten milliseconds and is not asked, each late by a second.
func BenchmarkLateMessage(b *testing.B) {
	b.ReportAllocs()
	inBubble(b, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: time.Second}))
		client, server := pipe(t, &inj)
		go func() {
			defer server.Close()
			message := make([]byte, 64)
			for range b.N {
				if _, err := server.Write(message); err != nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}()
		buf := make([]byte, 64)
		for {
			if _, err := client.Read(buf); err != nil {
				return
			}
		}
	})
}
