// Package faultconn measures wrapped connections beside bare ones and beside
// Toxiproxy in this process, which does the same from the outside.
package faultconn

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// A dialer makes a connection to a server that has something wrong with it.
type dialer struct {
	name string
	dial func(b *testing.B, address string) net.Conn
}

func bare() dialer {
	return dialer{"bare", func(b *testing.B, address string) net.Conn {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		return c
	}}
}

// wrapped is a bare connection under a plan; no faults is no plan.
func wrapped(faults ...faultconn.Fault) dialer {
	return dialer{"wrapped", func(b *testing.B, address string) net.Conn {
		var inj faultconn.Injector
		var plan faultconn.Plan
		for _, f := range faults {
			plan.Rules = append(plan.Rules, faultconn.Rule{Fault: f})
		}
		if err := inj.SetPlan(plan); err != nil {
			b.Fatal(err)
		}
		return inj.Conn("server", bare().dial(b, address))
	}}
}

// toxiproxied goes through a Toxiproxy with the toxics, in its own JSON.
func toxiproxied(toxics ...string) dialer {
	return dialer{"toxiproxy", func(b *testing.B, address string) net.Conn {
		srv := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
		p := toxiproxy.NewProxy(srv, "p", "127.0.0.1:0", address)
		if err := p.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(p.Stop)
		for _, t := range toxics {
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(t)); err != nil {
				b.Fatal(err)
			}
		}
		return bare().dial(b, p.Listen)
	}}
}

// serve runs f for each connection to the address that it returns.
func serve(b *testing.B, f func(net.Conn)) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); f(c) }()
		}
	}()
	return ln.Addr().String()
}

// pour writes as fast as the connection takes it.
func pour(c net.Conn) {
	piece := make([]byte, 64<<10)
	for {
		if _, err := c.Write(piece); err != nil {
			return
		}
	}
}

// BenchmarkRoundTrip is 64 bytes there and back with no fault anywhere, in
// turns, so that the machine's mood is the same for all.
func BenchmarkRoundTrip(b *testing.B) {
	address := serve(b, func(c net.Conn) {
		p := make([]byte, 64)
		for {
			if _, err := io.ReadFull(c, p); err != nil {
				return
			}
			if _, err := c.Write(p); err != nil {
				return
			}
		}
	})
	dialers := []dialer{bare(), wrapped(), toxiproxied()}
	conns, took := make([]net.Conn, len(dialers)), make([]time.Duration, len(dialers))
	for i, d := range dialers {
		conns[i] = d.dial(b, address)
	}
	const batch = 50
	buf := make([]byte, 64)
	n := 0
	for b.Loop() {
		for i, c := range conns {
			start := time.Now()
			for range batch {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Fatal(err)
				}
			}
			took[i] += time.Since(start)
		}
		n += batch
	}
	for i, d := range dialers {
		b.ReportMetric(float64(took[i].Nanoseconds())/float64(n), d.name+"-ns")
		b.ReportMetric(took[i].Seconds()/took[0].Seconds(), d.name+"/bare")
	}
}

// span is how long the streams below flow.
const span = 5 * time.Second

// drain reads for span and returns the bytes that came, and in how long.
func drain(c net.Conn) (bytes int64, took time.Duration) {
	start := time.Now()
	_ = c.SetReadDeadline(start.Add(span))
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		bytes += int64(n)
		if err != nil {
			return bytes, time.Since(start)
		}
	}
}

// BenchmarkLatency is a bulk stream of five seconds with a latency of 100 ms,
// after a bare one: what part of its throughput is left. Of a machine that does
// other things too, take the median of several.
func BenchmarkLatency(b *testing.B) {
	for _, d := range []dialer{
		wrapped(fault.Delay{For: 100 * time.Millisecond}),
		toxiproxied(`{"type": "latency", "attributes": {"latency": 100}}`),
	} {
		b.Run(d.name, func(b *testing.B) {
			address := serve(b, pour)
			var ratio float64
			for b.Loop() {
				var bytes [2]int64
				for i, d := range []dialer{bare(), d} {
					c := d.dial(b, address)
					bytes[i], _ = drain(c)
					c.Close()
				}
				ratio += float64(bytes[1]) / float64(bytes[0])
			}
			b.ReportMetric(ratio/float64(b.N), "of-bare")
		})
	}
}

// BenchmarkBandwidth is how far the rate of a limited stream is off over five
// seconds, in percent.
func BenchmarkBandwidth(b *testing.B) {
	for _, rate := range []int64{64_000, 10_000_000, 100_000_000} {
		for _, d := range []dialer{
			wrapped(fault.Bandwidth{Rate: rate}),
			toxiproxied(fmt.Sprintf(`{"type": "bandwidth", "attributes": {"rate": %d}}`, rate/1000)),
		} {
			b.Run(fmt.Sprintf("%dkB/%s", rate/1000, d.name), func(b *testing.B) {
				address := serve(b, pour)
				var off float64
				for b.Loop() {
					c := d.dial(b, address)
					bytes, took := drain(c)
					c.Close()
					off += 100 * (float64(bytes)/took.Seconds()/float64(rate) - 1)
				}
				b.ReportMetric(off/float64(b.N), "%-off")
			})
		}
	}
}
