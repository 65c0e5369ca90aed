package faultconn_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// Everything at once: plans that are set, updated,
// put in force for a while and replayed, deadlines that come and go, and Close,
// under traffic in both directions. Whatever arrives is a prefix of what was sent,
// no error is one that nothing has caused, and no place of a limit is lost.
func FuzzEverythingAtOnce(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		synctest.Test(t, func(t *testing.T) { everythingAtOnce(t, seed) })
	})
}

func everythingAtOnce(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	var inj faultconn.Injector
	limited := faultconn.Rule{Name: "limited", Fault: fault.Slice{Size: 5}, Limits: faultconn.Limits{Conns: 1}, Scope: faultconn.PerConnection}
	change, stop := changes(&inj, limited), make(chan struct{})
	if err := change(r); err != nil {
		t.Fatal(err)
	}
	var all, changing sync.WaitGroup
	for i := range 2 {
		changing.Go(func() {
			r := rand.New(rand.NewPCG(seed, 10+uint64(i)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := change(r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 4 {
		a, b := memnet.Pipe()
		client, server := inj.Conn("db", a), inj.Conn("server", b)
		if i == 3 { // a wrapper around a wrapper
			client = inj.Conn("outer", client)
		}
		r := rand.New(rand.NewPCG(seed, 100+uint64(i)))
		var sent [2]atomic.Int64
		for d, ends := range [2][2]net.Conn{{client, server}, {server, client}} {
			from, to := ends[0], ends[1]
			writes, reads := rand.New(rand.NewPCG(r.Uint64(), 1)), rand.New(rand.NewPCG(r.Uint64(), 2))
			all.Go(func() { sendCounting(t, from, &sent[d], writes) })
			all.Go(func() { receiveCounting(t, to, &sent[d], reads) })
		}
		all.Go(func() {
			for range r.IntN(50) {
				time.Sleep(time.Duration(r.IntN(30)) * time.Microsecond)
				client.SetDeadline([]time.Time{{}, time.Unix(1, 0), time.Now().Add(50 * time.Microsecond)}[r.IntN(3)])
			}
			client.Close()
			server.Close()
		})
	}
	all.Wait()
	close(stop)
	changing.Wait()

	// The limit still has its place.
	update(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{limited}})
	before := inj.Hits("limited")
	client, server := pipe(t, &inj)
	go echo(server)
	if _, _, err := call(client, "hello"); err != nil || inj.Hits("limited") == before {
		t.Errorf("%v, and a place of the limit is lost", err)
	}
}

// changes returns what puts another plan in force, in any of the ways there are.
func changes(inj *faultconn.Injector, always faultconn.Rule) func(r *rand.Rand) error {
	faults := []faultconn.Fault{
		fault.Delay{For: 100 * time.Microsecond}, fault.Delay{For: time.Microsecond, Jitter: time.Microsecond}, fault.Hang{},
		fault.Slice{Size: 3}, fault.Slice{Vary: 5}, fault.Bandwidth{Rate: 10 << 20}, fault.Loss{Timeout: time.Microsecond}, fault.Normal{},
	}
	scopes := []faultconn.Scope{"", faultconn.PerConnection, faultconn.PerOperation, faultconn.PerByte}
	return func(r *rand.Rand) error {
		plan := faultconn.Plan{Rules: []faultconn.Rule{always}}
		for i := range faults {
			if r.IntN(3) == 0 {
				plan.Rules = append(plan.Rules, faultconn.Rule{
					Name: string(rune('a' + i)), Fault: faults[i], Scope: scopes[r.IntN(4)], Chance: 0.5, Off: r.IntN(4) == 0,
				})
			}
		}
		time.Sleep(time.Duration(r.IntN(50)) * time.Microsecond)
		switch r.IntN(6) {
		case 0:
			return inj.SetPlan(plan)
		case 1:
			return inj.SetPlan(faultconn.Plan{})
		case 2:
			return inj.Replay(plan, nil)
		case 3:
			undo, err := inj.With(plan)
			if err == nil {
				undo()
			}
			return err
		}
		return inj.Update(plan)
	}
}

// sendCounting sends bytes that count, and gives those again that a Write has
// left.
func sendCounting(t *testing.T, c net.Conn, sent *atomic.Int64, r *rand.Rand) {
	for at := int64(0); ; {
		b := make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte(at + int64(i))
		}
		sent.Store(at + int64(len(b)))
		time.Sleep(10 * time.Microsecond) // or time would stand still
		n, err := c.Write(b)
		at += int64(n)
		if !expected(err) {
			t.Error("write:", err)
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Microsecond)
		}
	}
}

// receiveCounting receives them, and no more than have been sent.
func receiveCounting(t *testing.T, c net.Conn, sent *atomic.Int64, r *rand.Rand) {
	for at := int64(0); ; {
		b := make([]byte, r.IntN(300))
		n, err := c.Read(b)
		for i, got := range b[:n] {
			if got != byte(at+int64(i)) {
				t.Errorf("byte %d is %d", at+int64(i), got)
				c.Close()
				return
			}
		}
		if at += int64(n); at > sent.Load() {
			t.Errorf("%d bytes received of %d", at, sent.Load())
		}
		if !expected(err) {
			t.Error("read:", err)
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Microsecond)
		}
	}
}

// expected reports whether an error is one that a deadline, Close or the end of
// the peer causes.
func expected(err error) bool {
	for _, e := range []error{nil, io.EOF, os.ErrDeadlineExceeded, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
