package faultconn_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

const ms = time.Millisecond

// heard is when each byte of a stream came, until it ended.
func heard(c net.Conn, start time.Time) (at []time.Duration, err error) {
	b := make([]byte, 64<<10)
	for {
		n, err := c.Read(b)
		for range n {
			at = append(at, time.Since(start))
		}
		if err != nil {
			return append(at, time.Since(start)), err
		}
	}
}

// A server that pushes is late at every message, whether messages come faster
// than the delay or slower, and so is its end.
func TestPushIsLateAtEveryMessage(t *testing.T) {
	for _, pause := range []time.Duration{ms, 10 * ms, 99 * ms, 100 * ms, 250 * ms} {
		synctest.Test(t, func(t *testing.T) {
			var inj faultconn.Injector
			must(t, &inj, one(fault.Delay{For: 100 * ms}))
			client, server := pipe(t, &inj)
			start := time.Now()
			var want []time.Duration
			for i := range 100 {
				want = append(want, time.Duration(i)*pause+100*ms)
			}
			go func() {
				defer server.Close()
				for i := range 100 {
					time.Sleep(time.Until(start.Add(time.Duration(i) * pause)))
					server.Write([]byte{byte(i)})
				}
			}()
			at, err := heard(client, start)
			want = append(want, want[99])
			if !slices.Equal(at, want) || err != io.EOF {
				t.Errorf("every %v: came at %v, %v\nwant %v", pause, at, err, want)
			}
			if n := inj.Hits("r"); n != 1 {
				t.Errorf("%d hits, want one for the exchange", n)
			}
		})
	}
}

// A reader that is slow, or asks with deadlines, loses nothing, and nothing is
// late by more than the delay and the time it takes to ask: what comes while
// nobody asks is found when it does.
func TestPushToSlowReaders(t *testing.T) {
	for _, c := range []struct {
		name       string
		work, poll time.Duration
	}{{"working", 30 * ms, 0}, {"polling", 0, 7 * ms}, {"polling now and then", 13 * ms, ms}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, one(fault.Delay{For: 100 * ms}))
				client, server := pipe(t, &inj)
				start := time.Now()
				go func() {
					for i := range 50 {
						server.Write([]byte{byte(i)})
						time.Sleep(40 * ms)
					}
				}()
				b := make([]byte, 1)
				for i := 0; i < 50; {
					if c.poll > 0 {
						client.SetReadDeadline(time.Now().Add(c.poll))
					}
					n, err := client.Read(b)
					if n == 0 {
						if !errors.Is(err, os.ErrDeadlineExceeded) {
							t.Fatal(err)
						}
						time.Sleep(c.work)
						continue
					}
					late := time.Since(start) - time.Duration(i)*40*ms
					if b[0] != byte(i) || late < 100*ms || late > 100*ms+3*(c.work+c.poll) {
						t.Errorf("message %d: got %d, late by %v", i, b[0], late)
					}
					i++
					time.Sleep(c.work)
				}
			})
		})
	}
}

// A reader that has been busy for a while finds what has come meanwhile at once,
// and what comes then as late as before.
func TestPushToBusyReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 100 * ms}))
		client, server := pipe(t, &inj)
		start := time.Now()
		go func() {
			for i := range 500 {
				time.Sleep(time.Until(start.Add(time.Duration(i) * 10 * ms)))
				server.Write([]byte{byte(i)})
			}
		}()
		b := make([]byte, 1)
		for i := range 500 {
			if i == 50 {
				time.Sleep(3 * time.Second)
			}
			if _, err := client.Read(b); err != nil || b[0] != byte(i) {
				t.Fatal(i, b, err)
			}
			want := max(100*ms, 3590*ms-time.Duration(i)*10*ms)
			if i < 50 {
				want = 100 * ms
			}
			if late := time.Since(start) - time.Duration(i)*10*ms; late != want {
				t.Errorf("message %d is late by %v, want %v", i, late, want)
			}
		}
	})
}

// More than can be read ahead flows at full speed once it has begun; after a
// pause, and in the next exchange, data are late again.
func TestFloodIsLateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 100 * ms}))
		client, server := pipe(t, &inj)
		flood := bytes.Repeat([]byte("0123456789"), 200_000)
		start := time.Now()
		check := func(what string, n int, want time.Duration) {
			t.Helper()
			got, err := io.ReadAll(io.LimitReader(client, int64(n))) // in small reads
			if err != nil || !bytes.Equal(got, flood[:n]) {
				t.Errorf("%s: %v, or other bytes", what, err)
			}
			if d := time.Since(start); d != want {
				t.Errorf("%s: came at %v, want %v", what, d, want)
			}
		}
		go func() {
			server.Write(flood)
			time.Sleep(50 * ms)
			server.Write(flood[:10])
			time.Sleep(100 * ms)
			server.Write(flood[:10])
			server.Read(make([]byte, 1))
			server.Write(flood)
		}()
		check("flood", len(flood), 100*ms)
		check("after a short pause", 10, 150*ms)
		check("after a pause as long as the delay", 10, 350*ms)
		client.Write([]byte("?"))
		check("flood in the next exchange", len(flood), 450*ms)
	})
}

// All bytes of an exchange share a draw, whatever reads they come in.
func TestJitterIsThatOfTheExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		log := record(&inj)
		must(t, &inj, one(fault.Delay{For: 100 * ms, Jitter: 90 * ms}))
		client, server := pipe(t, &inj)
		for range 20 {
			client.Write([]byte("?"))
			server.Read(make([]byte, 1))
			start := time.Now()
			go func() {
				for i := range 10 {
					time.Sleep(time.Until(start.Add(time.Duration(i) * 30 * ms)))
					server.Write([]byte("x"))
				}
			}()
			for i := range 10 {
				client.Read(make([]byte, 1))
				events := log()
				if want := time.Duration(i)*30*ms + events[len(events)-1].Delay; time.Since(start) != want {
					t.Errorf("byte %d came at %v, want %v", i, time.Since(start), want)
				}
			}
		}
		if n := len(log()); n != 20 {
			t.Errorf("%d events, want 20", n)
		}
	})
}

// A peer's reset comes behind what had arrived before it.
func TestResetBehindLateData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 100 * ms}))
		client, server := pipe(t, &inj)
		go func() {
			server.Write([]byte("hello"))
			time.Sleep(50 * ms)
			server.(interface{ SetLinger(int) error }).SetLinger(0)
			server.Close()
		}()
		start := time.Now()
		b := make([]byte, 9)
		n, err := client.Read(b)
		if string(b[:n]) != "hello" || err != nil || time.Since(start) != 100*ms {
			t.Errorf("%q, %v after %v, want hello after 100ms", b[:n], err, time.Since(start))
		}
		if _, err := client.Read(b); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("then %v, want the reset", err)
		}
	})
}

// A rule that goes lets all that is late go at once, in order; one that stays
// keeps it.
func TestLateDataWhenRulesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: time.Second}))
		client, server := pipe(t, &inj)
		start := time.Now()
		go func() {
			for i := range 10 {
				server.Write([]byte{byte(i)})
				time.Sleep(100 * ms)
			}
			update(t, &inj, rules(one(fault.Delay{For: time.Second}).Rules[0], bystander(1)))
			time.Sleep(250 * ms)
			update(t, &inj, rules(bystander(1)))
			server.Write([]byte{10})
			must(t, &inj, faultconn.Plan{})
			time.Sleep(ms)
			server.Write([]byte{11})
		}()
		want := []time.Duration{1000, 1100, 1200, 1250, 1250, 1250, 1250, 1250, 1250, 1250, 1250, 1251}
		for i := range want {
			b := make([]byte, 1)
			if _, err := client.Read(b); err != nil || b[0] != byte(i) || time.Since(start) != want[i]*ms {
				t.Errorf("byte %d, %v at %v, want %d at %v", b[0], err, time.Since(start), i, want[i]*ms)
			}
		}
	})
}

// Close and deadlines reach a Read that waits for late data, and one that waits
// for what is read ahead.
func TestReadingAheadIsInterrupted(t *testing.T) {
	for _, held := range []bool{true, false} {
		t.Run(fmt.Sprint("held ", held), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, one(fault.Delay{For: time.Second}))
				client, server := pipe(t, &inj)
				b := make([]byte, 1)
				server.Write([]byte("x"))
				if !held {
					client.Read(b)
				}
				client.SetReadDeadline(time.Now().Add(100 * ms))
				start := time.Now()
				if _, err := client.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 100*ms {
					t.Errorf("with a deadline: %v after %v", err, time.Since(start))
				}
				client.SetReadDeadline(time.Time{})
				go func() {
					time.Sleep(100 * ms)
					client.SetReadDeadline(time.Unix(1, 0))
				}()
				if _, err := client.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 200*ms {
					t.Errorf("with a deadline that comes meanwhile: %v after %v", err, time.Since(start))
				}
				client.SetReadDeadline(time.Time{})
				go func() {
					time.Sleep(100 * ms)
					client.Close()
				}()
				if _, err := client.Read(b); !errors.Is(err, net.ErrClosed) || time.Since(start) != 300*ms {
					t.Errorf("with Close: %v after %v", err, time.Since(start))
				}
			})
		})
	}
}

// A deadline that comes and goes between Reads, as net/http sets it to get hold
// of a connection, is nobody's error afterwards.
func TestDeadlineBetweenLateReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 10 * ms}))
		client, server := pipe(t, &inj)
		for i := range 100 {
			server.Write([]byte{byte(i)})
			b := make([]byte, 1)
			if _, err := client.Read(b); err != nil || b[0] != byte(i) {
				t.Fatal(b, err)
			}
			client.SetReadDeadline(time.Unix(1, 0))
			if i%2 == 0 {
				synctest.Wait()
			}
			client.SetReadDeadline(time.Time{})
		}
	})
}

// A deadline that the wrapped connection has from elsewhere is its own: it comes
// behind what had arrived before, and nobody asks for more meanwhile.
func TestForeignDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: 100 * ms}))
		a, server := memnet.Pipe()
		defer server.Close()
		a.SetReadDeadline(time.Now().Add(50 * ms))
		client := inj.Conn("db", a)
		defer client.Close()
		server.Write([]byte("x"))
		start := time.Now()
		if n, err := client.Read(make([]byte, 9)); n != 1 || err != nil || time.Since(start) != 100*ms {
			t.Errorf("%d bytes, %v after %v, want one after 100ms", n, err, time.Since(start))
		}
		if _, err := client.Read(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("then %v, want the deadline", err)
		}
	})
}

// deaf is a connection that takes no notice of deadlines, as those written for
// tests often do.
type deaf struct{ net.Conn }

func (deaf) SetReadDeadline(time.Time) error { return nil }
func (deaf) SetDeadline(time.Time) error     { return nil }

func TestLatencyNeedsNoDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: time.Second}))
		a, server := net.Pipe()
		client := inj.Conn("db", deaf{a})
		defer server.Close()
		defer client.Close()
		go echo(server)
		for range 3 {
			if got, d, err := call(client, "hello"); got != "hello" || err != nil || d != time.Second {
				t.Errorf("%q, %v after %v", got, err, d)
			}
		}
		client.SetReadDeadline(time.Now().Add(time.Minute))
		if _, d, err := call(client, ""); d != 0 || err != nil {
			t.Error(d, err)
		}
		start := time.Now()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("a deadline that only the wrapper keeps: %v after %v", err, time.Since(start))
		}
	})
}

// Latencies of several rules, and of wrappers around wrappers, add up; a
// bandwidth counts beside them.
func TestLatenciesAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inner, outer faultconn.Injector
		a, b := fault.Delay{For: 100 * ms}, fault.Delay{For: 20 * ms}
		must(t, &inner, rules(faultconn.Rule{Name: "a", Fault: a}, faultconn.Rule{Name: "b", Fault: b}, faultconn.Rule{Name: "c", Fault: fault.Bandwidth{Rate: 100}}))
		must(t, &outer, one(fault.Delay{For: 3 * ms}))
		client, server := pipe(t, &inner)
		client = outer.Conn("outer", client)
		defer client.Close()
		start := time.Now()
		var want []time.Duration
		go func() {
			for range 20 {
				server.Write([]byte("x"))
				time.Sleep(50 * ms)
			}
			server.Close()
		}()
		for i := range 20 {
			want = append(want, time.Duration(i)*50*ms+123*ms)
		}
		at, err := heard(client, start)
		if want = append(want, 20*50*ms+123*ms); !slices.Equal(at, want) || err != io.EOF {
			t.Errorf("came at %v, %v\nwant %v", at, err, want)
		}
	})
}

// Over a real socket: a reply is late once, all the bytes come, and Close leaves
// no goroutine, whatever it interrupts.
func TestLatencyOverTCP(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, one(fault.Delay{For: ms}))
	var all sync.WaitGroup
	for i := range 8 {
		client, server := tcp(t, &inj)
		all.Go(func() { echo(server) })
		all.Go(func() {
			defer client.Close()
			sent := bytes.Repeat([]byte{byte(i)}, 1<<20)
			var writing sync.WaitGroup
			defer writing.Wait()
			writing.Go(func() { client.Write(sent) })
			got := make([]byte, len(sent)/(1+i%2)) // half of them close early
			if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, sent[:len(got)]) {
				t.Error(err)
			}
			client.Close()
		})
	}
	all.Wait()
}

// Whatever is sent when, in whatever pieces, is late by the latency of its
// exchange: for readers of any buffer size, with deadlines that pass, while
// other rules come and go.
func TestLatencyIsExact(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			sending, reading := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2))
			inj := faultconn.Injector{}
			log := record(&inj)
			slow := faultconn.Rule{Name: "slow", Fault: fault.Delay{For: 100 * ms, Jitter: 100 * ms}}
			must(t, &inj, faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{slow}})
			client, server := pipe(t, &inj)
			for exchange := range 3 {
				client.SetDeadline(time.Time{})
				if _, err := client.Write([]byte("?")); err != nil {
					t.Fatal(err)
				}
				server.Read(make([]byte, 1))
				var sent []time.Time // by byte
				pieces := 1 + sending.IntN(40)
				done := make(chan struct{})
				go func() {
					defer close(done)
					for range pieces {
						time.Sleep(time.Duration(sending.IntN(50)) * ms)
						piece := make([]byte, 1+sending.IntN(300))
						for range piece {
							sent = append(sent, time.Now())
						}
						server.Write(piece)
					}
				}()
				var came []time.Time
				ended := func() bool {
					select {
					case <-done:
						return len(came) == len(sent)
					default:
						return false
					}
				}
				for i := 0; !ended(); i++ {
					client.SetReadDeadline(time.Now().Add(time.Duration(1+reading.IntN(60)) * ms))
					n, err := client.Read(make([]byte, 1+reading.IntN(200)))
					if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Fatal(err)
					}
					for range n {
						came = append(came, time.Now())
					}
					if reading.IntN(3) == 0 {
						update(t, &inj, faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{bystander(i), slow}})
					}
				}
				events := log()
				if len(events) != exchange+1 {
					t.Fatalf("seed %d: %d events after %d exchanges", seed, len(events), exchange+1)
				}
				latency := events[exchange].Delay
				for i := range sent {
					if late := came[i].Sub(sent[i]); late != latency {
						t.Fatalf("seed %d, exchange %d: byte %d late by %v, want %v", seed, exchange, i, late, latency)
					}
				}
			}
		})
	}
}

// A late message costs the copy that waits and what says until when, and no new
// timers and channels.
func TestLateMessagesAllocateLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Delay{For: time.Second}))
		client, server := pipe(t, &inj)
		buf := make([]byte, 64)
		if n := testing.AllocsPerRun(200, func() {
			if _, err := server.Write(buf); err != nil {
				t.Fatal(err)
			}
			if _, err := client.Read(buf); err != nil {
				t.Fatal(err)
			}
		}); n > 3 {
			t.Errorf("%v allocations a message, want 3 at the most", n)
		}
	})
}
