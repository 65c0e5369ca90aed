package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// newPlanRig starts a proxy whose dial function inj wraps, as the point
// "backend".
func newPlanRig(t testing.TB, inj *faultconn.Injector) *rig {
	t.Helper()
	return newRig(t, &proxy.Proxy{}, func(dial dialFunc) dialFunc { return inj.Dialer("backend", dial) })
}

func setPlan(t testing.TB, inj *faultconn.Injector, rules ...faultconn.Rule) {
	t.Helper()
	if err := inj.SetPlan(faultconn.Plan{Seed: 1, Rules: rules}); err != nil {
		t.Fatal(err)
	}
}

// A plan holds for connections that are open when it is set.
func TestPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inj := &faultconn.Injector{}
		r := newPlanRig(t, inj)
		defer r.stop()
		client, server := r.connect()
		go io.Copy(server, server)
		client.Write([]byte("quick"))
		start := time.Now()
		wantRead(t, client, "quick")
		setPlan(t, inj, faultconn.Rule{Fault: fault.Delay{For: 20 * time.Second}})
		client.Write([]byte("slow"))
		wantRead(t, client, "slow")
		if d := time.Since(start); d != 20*time.Second {
			t.Errorf("the exchange took %v", d)
		}
		setPlan(t, inj, faultconn.Rule{Fault: fault.Reset{}})
		client.Write([]byte("x"))
		wantError(t, client, syscall.ECONNRESET)
	})
}

// Each connection says how many faults have struck it, however the plan has been
// changed in between.
func TestPlanCountsFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inj := &faultconn.Injector{}
		r := newPlanRig(t, inj)
		defer r.stop()
		slow := faultconn.Rule{Select: faultconn.Select{Conns: []int{2}}, Fault: fault.Delay{For: time.Second}}
		setPlan(t, inj, slow)
		for range 2 {
			client, server := r.connect()
			go io.Copy(server, server)
			for range 2 {
				client.Write([]byte("x"))
				wantRead(t, client, "x")
			}
			setPlan(t, inj, slow)
			client.Write([]byte("x"))
			wantRead(t, client, "x")
		}
		conns := r.Conns()
		if a, b := conns[0].Info(), conns[1].Info(); a.Faults != 0 || b.Faults != 3 || !strings.Contains(b.String(), "(open, faults: 3, 3 bytes up, 3 down)") {
			t.Errorf("%v\n%v", a, b)
		}
	})
}

// A rule can choose by the client, though what it strikes is the connection that
// the proxy has dialled for it, and events name it.
func TestPlanForOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []faultconn.Event
		inj := &faultconn.Injector{OnEvent: func(e faultconn.Event) { events = append(events, e) }}
		r := newPlanRig(t, inj)
		defer r.stop()
		ask := func(host string) (took time.Duration, client string) {
			c, err := r.net.Host(host).Dial("tcp", "proxy:1")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			server, err := r.backend.Accept()
			if err != nil {
				t.Fatal(err)
			}
			go io.Copy(server, server)
			start := time.Now()
			io.WriteString(c, "x")
			wantRead(t, c.(*memnet.Conn), "x")
			client, _, _ = net.SplitHostPort(c.LocalAddr().String())
			return time.Since(start), client
		}
		_, client := ask("second")
		setPlan(t, inj, faultconn.Rule{Select: faultconn.Select{Peer: client}, Fault: fault.Delay{For: time.Second}})
		if took, _ := ask("first"); took != 0 {
			t.Errorf("another client waits %v", took)
		}
		if took, _ := ask("second"); took != time.Second {
			t.Errorf("the client waits %v", took)
		}
		if len(events) != 1 || !strings.HasPrefix(events[0].Client, client+":") || !strings.HasPrefix(events[0].Peer, "backend:") {
			t.Errorf("%+v", events)
		}
	})
}

// An idle connection can be reset, without any bytes that would give the
// occasion, and both sides see an RST.
func TestPlanResetsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inj := &faultconn.Injector{}
		r := newPlanRig(t, inj)
		defer r.stop()
		client, server := r.connect()
		client.Write([]byte("x"))
		wantRead(t, server, "x")
		setPlan(t, inj, faultconn.Rule{Fault: fault.Reset{}, When: faultconn.When{After: time.Minute}})
		start := time.Now()
		wantError(t, client, syscall.ECONNRESET)
		wantError(t, server, syscall.ECONNRESET)
		if d := time.Since(start); d != time.Minute {
			t.Errorf("took %v", d)
		}
	})
}

// A plan that is taken off leaves no mark.
func TestPlanThatNeverFires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inj := &faultconn.Injector{}
		r := newPlanRig(t, inj)
		defer r.stop()
		setPlan(t, inj, faultconn.Rule{Fault: fault.Reset{}, Chance: 1e-300})
		client, server := r.connect()
		client.Write([]byte("x"))
		wantRead(t, server, "x")
		server.Close()
		wantError(t, client, io.EOF) // and not a reset
	})
}

// stream sends size bytes through the proxy and returns how long that took.
func stream(t *testing.T, r *rig, size int) time.Duration {
	t.Helper()
	client, server := r.connect()
	start := time.Now()
	go func() {
		p := make([]byte, 64<<10)
		for left := size; left > 0; left -= len(p) {
			server.Write(p[:min(left, len(p))])
		}
		server.Close()
	}()
	got, err := io.Copy(io.Discard, client)
	if got != int64(size) || err != nil {
		t.Fatalf("%d bytes arrived, %v", got, err)
	}
	client.Close()
	return time.Since(start)
}

func TestLatencyCostsNoThroughput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inj := &faultconn.Injector{}
		r := newPlanRig(t, inj)
		defer r.stop()
		r.net.SetLink(memnet.Any, memnet.Any, memnet.Link{Bandwidth: 10_000_000})
		without := stream(t, r, 50_000_000)
		setPlan(t, inj, faultconn.Rule{Fault: fault.Delay{For: 100 * time.Millisecond}})
		with := stream(t, r, 50_000_000)
		t.Logf("50 MB at 10 MB/s: %v without latency, %v with 100 ms", without, with)
		if float64(without)/float64(with) < 0.95 {
			t.Errorf("%v without latency, %v with", without, with)
		}
	})
}

func TestBandwidth(t *testing.T) {
	for _, rate := range []int{64_000, 10_000_000, 100_000_000} {
		synctest.Test(t, func(t *testing.T) {
			inj := &faultconn.Injector{}
			r := newPlanRig(t, inj)
			defer r.stop()
			setPlan(t, inj, faultconn.Rule{Fault: fault.Bandwidth{Rate: int64(rate)}})
			took := stream(t, r, 5*rate)
			t.Logf("%d B/s: 5 s of bytes took %v", rate, took)
			if took < 4950*time.Millisecond || took > 5050*time.Millisecond {
				t.Errorf("%d B/s: 5 s of bytes took %v", rate, took)
			}
		})
	}
}

// TestPlanChanges sets plans while connections pump data. No call waits for
// them (the clock of the bubble stands still meanwhile), no byte is lost or out
// of place, and nothing is left running.
func TestPlanChanges(t *testing.T) {
	conns, changes := 200, 10_000
	if testing.Short() || underRace {
		conns, changes = 20, 1000
	}
	synctest.Test(t, func(t *testing.T) {
		inj := &faultconn.Injector{}
		r := newPlanRig(t, inj)
		r.net.SetLink(memnet.Any, memnet.Any, memnet.Link{Latency: 100 * time.Microsecond})
		var servers, clients sync.WaitGroup
		servers.Go(func() {
			for {
				c, err := r.backend.Accept()
				if err != nil {
					return
				}
				servers.Go(func() {
					defer c.Close()
					io.Copy(c, c)
				})
			}
		})
		stop := make(chan struct{})
		var total atomic.Int64
		for i := range conns {
			clients.Go(func() {
				n, err := pump(r.dial(), uint64(i), stop)
				total.Add(int64(n))
				if err != nil {
					t.Errorf("connection %d, after %d bytes: %v", i, n, err)
				}
			})
		}
		plans := [][]faultconn.Rule{
			nil,
			{{Fault: fault.Delay{For: time.Millisecond, Jitter: time.Millisecond}}},
			{{Fault: fault.Slice{Size: 300}}},
			{{Fault: fault.Hang{}, Chance: 0.3}},
			{{Fault: fault.Bandwidth{Rate: 1_000_000}}, {Fault: fault.Delay{For: time.Hour}, Chance: 0.1}},
		}
		for i := range changes {
			time.Sleep(50 * time.Microsecond)
			start := time.Now()
			setPlan(t, inj, plans[i%len(plans)]...)
			if d := time.Since(start); d != 0 {
				t.Errorf("plan %d took %v", i, d)
			}
		}
		setPlan(t, inj)
		close(stop)
		clients.Wait()
		r.stop()
		servers.Wait()
		t.Logf("%d changes under %d connections and %d bytes", changes, conns, total.Load())
		if total.Load() == 0 {
			t.Error("nothing passed meanwhile")
		}
	})
}

// pump writes random bytes and wants them back, until stop.
func pump(c net.Conn, seed uint64, stop <-chan struct{}) (n int, err error) {
	defer c.Close()
	rng := rand.New(rand.NewPCG(seed, 0))
	for {
		select {
		case <-stop:
			return n, nil
		default:
		}
		sent := make([]byte, 1+rng.IntN(2000))
		for i := range sent {
			sent[i] = byte(rng.Uint32())
		}
		if _, err := c.Write(sent); err != nil {
			return n, err
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(c, got); err != nil {
			return n, err
		}
		if !bytes.Equal(got, sent) {
			return n, fmt.Errorf("other bytes came back")
		}
		n += len(sent)
	}
}
