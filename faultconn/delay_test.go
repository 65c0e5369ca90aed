package faultconn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

func one(f faultconn.Fault) faultconn.Plan {
	return faultconn.Plan{Rules: []faultconn.Rule{{Name: "r", Fault: f}}}
}

func TestDelayCostsAnExchangeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 20 * time.Second}))
		client, server := pipe(t, &inj)
		go echo(server)
		for range 3 {
			start := time.Now()
			client.Write([]byte("hello"))
			for i := range 5 { // the reply in five reads
				if _, err := client.Read(make([]byte, 1)); err != nil {
					t.Fatalf("read %d: %v", i, err)
				}
			}
			if d := time.Since(start); d != 20*time.Second {
				t.Errorf("exchange took %v, want 20s", d)
			}
		}
		if n := inj.Hits("r"); n != 3 {
			t.Errorf("%d hits, want 3", n)
		}
	})
}

func TestBulkStreamIsDelayedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 100 * time.Millisecond}))
		client, server := pipe(t, &inj)
		sent := bytes.Repeat([]byte("0123456789"), 100_000)
		go func() {
			server.Write(sent)
			server.Close()
		}()
		start := time.Now()
		got, err := io.ReadAll(client)
		if err != nil || !bytes.Equal(got, sent) {
			t.Errorf("got %d bytes and %v, want %d", len(got), err, len(sent))
		}
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("took %v, want 100ms", d)
		}
	})
}

func TestDeadlineWinsOverDelayAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 20 * time.Second}))
		client, server := pipe(t, &inj)
		go echo(server)
		start := time.Now()
		client.SetReadDeadline(start.Add(time.Second))
		got, d, err := call(client, "hello")
		if got != "" || d != time.Second {
			t.Errorf("got %q after %v, want nothing after 1s", got, d)
		}
		var op *net.OpError
		if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &op) || op.Op != "read" || !op.Timeout() {
			t.Errorf("error is %#v, want a *net.OpError of a deadline", err)
		}
		if _, err := client.Read(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("second read: %v, want the deadline again", err)
		}
		client.SetReadDeadline(time.Time{})
		b := make([]byte, 9)
		n, err := client.Read(b)
		if string(b[:n]) != "hello" || err != nil {
			t.Errorf("after the deadline moved: %q, %v", b[:n], err)
		}
		if d := time.Since(start); d != 20*time.Second {
			t.Errorf("data came after %v, want 20s: a deadline must not restart the delay", d)
		}
	})
}

// A held operation is woken from another goroutine.
func TestHeldReadIsWoken(t *testing.T) {
	for _, c := range []struct {
		name string
		wake func(*faultconn.Injector, net.Conn)
		want error
	}{
		{"by Close", func(_ *faultconn.Injector, c net.Conn) { c.Close() }, net.ErrClosed},
		{"by a deadline that has passed", func(_ *faultconn.Injector, c net.Conn) { c.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		{"by a deadline to come", func(_ *faultconn.Injector, c net.Conn) { c.SetDeadline(time.Now().Add(time.Second)) }, os.ErrDeadlineExceeded},
		{"by another plan", func(i *faultconn.Injector, c net.Conn) { i.SetPlan(one(fault.Refuse{})) }, nil},
		{"by no plan", func(i *faultconn.Injector, c net.Conn) { i.SetPlan(faultconn.Plan{}) }, nil},
	} {
		for _, f := range []faultconn.Fault{fault.Hang{}, fault.Delay{For: time.Hour}} {
			t.Run(f.Kind()+" "+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var inj faultconn.Injector
					must(t, &inj, one(f))
					client, server := pipe(t, &inj)
					go echo(server)
					go func() {
						time.Sleep(time.Minute)
						c.wake(&inj, client)
					}()
					start := time.Now()
					got, _, err := call(client, "hello")
					if !errors.Is(err, c.want) {
						t.Errorf("error %v, want %v", err, c.want)
					}
					if c.want == nil && got != "hello" {
						t.Errorf("got %q: a byte was lost", got)
					}
					if d := time.Since(start); d < time.Minute || d > time.Minute+time.Second {
						t.Errorf("woken after %v", d)
					}
				})
			})
		}
	}
}

func TestHeldWriteIsWoken(t *testing.T) {
	for name, wake := range map[string]func(*faultconn.Injector, net.Conn) error{
		"by Close": func(_ *faultconn.Injector, c net.Conn) error { c.Close(); return net.ErrClosed },
		"by a deadline": func(_ *faultconn.Injector, c net.Conn) error {
			c.SetWriteDeadline(time.Unix(1, 0))
			return os.ErrDeadlineExceeded
		},
		"by a plan": func(i *faultconn.Injector, _ net.Conn) error { i.SetPlan(faultconn.Plan{}); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
					Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpWrite}}, Fault: fault.Hang{},
				}}})
				client, server := pipe(t, &inj)
				go echo(server)
				want := make(chan error, 1)
				go func() {
					time.Sleep(time.Minute)
					want <- wake(&inj, client)
				}()
				_, err := client.Write([]byte("hello"))
				if w := <-want; !errors.Is(err, w) {
					t.Errorf("error %v, want %v", err, w)
				}
			})
		})
	}
}

// A Read that is parked in the wrapped connection obeys the plan in force when
// its data arrive.
func TestParkedReadObeysThePlanThatCameMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		client, server := pipe(t, &inj)
		start := time.Now()
		go func() {
			time.Sleep(time.Second)
			inj.SetPlan(one(fault.Delay{For: time.Hour}))
			time.Sleep(time.Second)
			server.Write([]byte("x"))
		}()
		if _, err := client.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != time.Hour+2*time.Second {
			t.Errorf("read took %v, want 1h0m2s", d)
		}
	})
}

func TestDelayedWriteKeepsItsHoldAcrossADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
			Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpWrite}}, Fault: fault.Delay{For: 10 * time.Second},
		}}})
		client, server := pipe(t, &inj)
		go echo(server)
		start := time.Now()
		client.SetWriteDeadline(start.Add(time.Second))
		if n, err := client.Write([]byte("x")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("wrote %d, %v", n, err)
		}
		client.SetWriteDeadline(time.Time{})
		if n, err := client.Write([]byte("x")); n != 1 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("written after %v, want 10s", d)
		}
	})
}

func TestDelayOfOtherOperations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
			Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpClose}}, Fault: fault.Delay{For: time.Minute},
		}}})
		client, _ := pipe(t, &inj)
		parked := make(chan error, 1)
		go func() {
			_, err := client.Read(make([]byte, 1))
			parked <- err
		}()
		synctest.Wait()
		start := time.Now()
		if err := client.Close(); err != nil || time.Since(start) != time.Minute {
			t.Errorf("closed with %v after %v, want 1m", err, time.Since(start))
		}
		if err := <-parked; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the parked read got %v", err)
		}
		if err := client.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("second close: %v", err)
		}
	})
}

// The first step of a ramp may take no time: it is a hit all the same, or there
// would be no second.
func TestRampFromZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		log := record(&inj)
		must(t, &inj, one(fault.Delay{Step: time.Second, Max: 3 * time.Second, Fall: true}))
		client, server := pipe(t, &inj)
		go echo(server)
		for i, want := range []time.Duration{0, 1, 2, 3, 2, 1, 0, 1} {
			if got, d, err := call(client, "hello"); got != "hello" || d != want*time.Second || err != nil {
				t.Errorf("exchange %d: %q, %v after %v, want %v", i+1, got, err, d, want*time.Second)
			}
		}
		if n := inj.Hits("r"); n != 8 || len(log()) != 8 {
			t.Errorf("%d hits, %d events, want 8", n, len(log()))
		}
	})
}

// A delay that is drawn as zero is not drawn again in the same exchange.
func TestDelayIsDrawnOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{Table: []time.Duration{0, time.Hour}}))
		client, server := pipe(t, &inj)
		go echo(server)
		late := 0
		const n = 100
		for range n {
			start := time.Now()
			client.Write([]byte("hello"))
			for range 5 {
				if _, err := client.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			if time.Since(start) > 0 {
				late++
			}
		}
		if late < n*3/10 || late > n*7/10 {
			t.Errorf("%d of %d exchanges are late, want about half", late, n)
		}
	})
}
