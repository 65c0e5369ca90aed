package proxy

import (
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// BenchmarkSetPlan changes the plan while 200 connections make a round trip
// every five milliseconds each.
func BenchmarkSetPlan(b *testing.B) {
	const conns = 200
	l := listen(b)
	defer l.Close()
	go echo(l, pong)
	inj := &faultconn.Injector{}
	address := serve(b, &proxy.Proxy{Upstream: l.Addr().String(), Dial: inj.Dialer("backend", nil)})

	stop := make(chan struct{})
	var pumps sync.WaitGroup
	for range conns {
		c := dial(b, address)
		pumps.Go(func() { pump(b, c, stop) })
	}
	plans := []faultconn.Plan{
		{},
		{Rules: []faultconn.Rule{{Fault: fault.Delay{For: time.Millisecond}}}},
		{Rules: []faultconn.Rule{{Fault: fault.Slice{Size: 10}}, {Fault: fault.Hang{}, Chance: 0.1}}},
	}
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if err := inj.SetPlan(plans[len(took)%len(plans)]); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	if err := inj.SetPlan(faultconn.Plan{}); err != nil {
		b.Fatal(err)
	}
	close(stop)
	pumps.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)-1].Microseconds()), "max-µs")
}

func pump(b *testing.B, c net.Conn, stop <-chan struct{}) {
	defer c.Close()
	p := make([]byte, 64)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if _, err := c.Write(p); err != nil {
			b.Error(err)
			return
		}
		if _, err := io.ReadFull(c, p); err != nil {
			b.Error(err)
			return
		}
	}
}
