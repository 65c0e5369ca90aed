package faultconn_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// receive sends data to a wrapped connection under a rule, in pieces of random
// size, and returns what arrived and how long it took.
func receive(t *testing.T, r faultconn.Rule, sent []byte, seed uint64) ([]byte, time.Duration, error) {
	t.Helper()
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{r}})
	a, b := net.Pipe()
	client := inj.Conn("db", a)
	defer client.Close()
	sizes := rand.New(rand.NewPCG(seed, 9))
	go func() {
		defer b.Close()
		for rest := sent; len(rest) > 0; {
			n := min(len(rest), 1+sizes.IntN(3000))
			if _, err := b.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	start := time.Now()
	got, err := io.ReadAll(client)
	return got, time.Since(start), err
}

// Whatever happens to a stream that is not corrupted, what is received is a
// prefix of what was sent, and all of it if no fault ends the connection.
func TestReceivedIsAPrefixOfSent(t *testing.T) {
	sent := make([]byte, 60_000)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range sent {
		sent[i] = byte(rng.Uint32())
	}
	scopes := []faultconn.Scope{faultconn.PerExchange, faultconn.PerConnection, faultconn.PerOperation, faultconn.PerByte}
	for _, f := range []struct {
		fault faultconn.Fault
		whole bool
	}{
		{fault.Delay{For: time.Second, Jitter: time.Second}, true},
		{fault.Delay{For: time.Second, Jitter: time.Second, Shape: "lognormal"}, true},
		{fault.Bandwidth{Rate: 10_000}, true},
		{fault.Bandwidth{Rate: 10_000, Shared: true}, true},
		{fault.Slice{Size: 100, Vary: 50, Gap: time.Millisecond}, true},
		{fault.Loss{Again: 0.1}, true},
		{fault.Reset{}, false},
		{fault.Close{}, false},
		{fault.Fail{With: "timeout"}, false},
		{fault.Abort{}, false},
	} {
		for _, scope := range scopes {
			chance := 0.3
			if scope == faultconn.PerByte {
				chance = 0.001
			}
			synctest.Test(t, func(t *testing.T) {
				for seed := range uint64(10) {
					got, _, err := receive(t, faultconn.Rule{Scope: scope, Chance: chance, Fault: f.fault}, sent, seed)
					if !bytes.HasPrefix(sent, got) {
						t.Fatalf("%v %v, seed %d: what arrived is not a prefix", f.fault, scope, seed)
					}
					if f.whole && (err != nil || len(got) != len(sent)) {
						t.Fatalf("%v %v, seed %d: %d bytes of %d, %v", f.fault, scope, seed, len(got), len(sent), err)
					}
				}
			})
		}
	}
}

func TestBandwidth(t *testing.T) {
	for _, rate := range []int64{64_000, 10_000_000, 100_000_000} {
		synctest.Test(t, func(t *testing.T) {
			n := min(rate*5, 20_000_000)
			_, took, err := receive(t, faultconn.Rule{Fault: fault.Bandwidth{Rate: rate}}, make([]byte, n), 1)
			want := time.Duration(float64(n) / float64(rate) * float64(time.Second))
			if off := float64(took-want) / float64(want); err != nil || off > 0.01 || off < -0.01 {
				t.Errorf("%d bytes at %d/s took %v, %v; want %v within 1 %%", n, rate, took, err, want)
			}
		})
	}
}

// Two connections under one shared rate get half of it each.
func TestSharedBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Bandwidth{Rate: 100_000, Shared: true}))
		done := make(chan time.Duration)
		start := time.Now()
		for range 2 {
			client, server := pipe(t, &inj)
			go func() {
				server.Write(make([]byte, 100_000))
				server.Close()
			}()
			go func() {
				io.Copy(io.Discard, client)
				done <- time.Since(start)
			}()
		}
		for range 2 {
			if d := <-done; d < 1900*time.Millisecond || d > 2100*time.Millisecond {
				t.Errorf("a connection took %v, want about 2s", d)
			}
		}
	})
}

func TestSliceReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.Slice{Size: 3, Gap: time.Second}))
		client, server := pipe(t, &inj)
		go server.Write([]byte("abcdefgh"))
		var got []string
		start := time.Now()
		for range 3 {
			b := make([]byte, 100)
			n, err := client.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(b[:n]))
		}
		if fmt.Sprint(got) != "[abc def gh]" || time.Since(start) != 3*time.Second {
			t.Errorf("read %q in %v", got, time.Since(start))
		}
	})
}

func TestSliceWrites(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, one(fault.Slice{Size: 3}))
	a, server := net.Pipe() // each Write is one Read
	client := inj.Conn("db", a)
	go func() {
		if n, err := client.Write([]byte("abcdefgh")); n != 8 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		client.Close()
	}()
	var got []string
	for {
		b := make([]byte, 100)
		n, err := server.Read(b)
		if err != nil {
			break
		}
		got = append(got, string(b[:n]))
	}
	if fmt.Sprint(got) != "[abc def gh]" {
		t.Errorf("arrived as %q", got)
	}
}

func TestLossIsAPauseNotAHole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := bytes.Repeat([]byte("x"), 146_000) // a hundred packets
		got, took, err := receive(t, faultconn.Rule{Scope: faultconn.PerByte, Chance: 0.1 / 1460, Fault: fault.Loss{}}, sent, 4)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		if lost := took / (200 * time.Millisecond); lost < 3 || lost > 25 || took%(200*time.Millisecond) != 0 {
			t.Errorf("took %v, want about ten pauses of 200ms", took)
		}
	})
}

func TestCorruptFlipsOneBitOfOneByte(t *testing.T) {
	sent := make([]byte, 5000)
	got, _, err := receive(t, faultconn.Rule{Select: reads, When: faultconn.When{From: 1234, First: 1}, Fault: fault.Corrupt{}}, sent, 1)
	if err != nil || len(got) != len(sent) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for i, b := range got {
		if want := 0; (i != 1234 && b != 0) || (i == 1234 && bits.OnesCount8(b) != want+1) {
			t.Errorf("byte %d is %08b", i, b)
		}
	}
}

func TestDuplicateAndTruncate(t *testing.T) {
	got, _, err := receive(t, faultconn.Rule{When: faultconn.When{From: 2}, Fault: fault.Duplicate{Bytes: 3}}, []byte("abcdefgh"), 1)
	if string(got) != "abcdecdefgh" && string(got) != "abccdefgh" || err != nil { // pieces may be shorter
		t.Errorf("duplicated: %q, %v", got, err)
	}
	got, _, err = receive(t, faultconn.Rule{When: faultconn.When{From: 5}, Fault: fault.Close{}}, []byte("abcdefgh"), 1)
	if string(got) != "abcde" || err != nil {
		t.Errorf("truncated: %q, %v", got, err)
	}
}

func TestShortWrite(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, one(fault.ShortWrite{Bytes: 3}))
	client, server := pipe(t, &inj)
	got := make(chan string)
	go func() {
		b, _ := io.ReadAll(server)
		got <- string(b)
	}()
	n, err := client.Write([]byte("hello"))
	if n != 3 || !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("wrote %d, %v", n, err)
	}
	if n, err := client.Write([]byte("lo")); n != 2 || err != nil {
		t.Errorf("then wrote %d, %v", n, err)
	}
	client.Close()
	if g := <-got; g != "hello" {
		t.Errorf("arrived: %q", g)
	}
}

// A spurious timeout leaves the data for the next Read.
func TestFailureLosesNothing(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{Select: reads, Fault: fault.Fail{With: "timeout"}}}})
	client, server := pipe(t, &inj)
	go server.Write([]byte("hello"))
	_, err := client.Read(make([]byte, 9))
	var ne net.Error
	if !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("read: %v, want a timeout", err)
	}
	b := make([]byte, 9)
	if n, err := client.Read(b); string(b[:n]) != "hello" || err != nil {
		t.Errorf("then: %q, %v", b[:n], err)
	}
}

func TestBlackHoleOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		client, server := pipe(t, &inj)
		must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
			Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpWrite}}, Fault: fault.BlackHole{},
		}}})
		if n, err := client.Write([]byte("lost")); n != 4 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
		go server.Write([]byte("arrives"))
		b := make([]byte, 9)
		if n, err := client.Read(b); string(b[:n]) != "arrives" || err != nil {
			t.Errorf("read %q, %v", b[:n], err)
		}
		must(t, &inj, one(fault.BlackHole{}))
		go func() {
			server.Write([]byte("lost"))
			server.Close()
		}()
		client.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := client.Read(b); n != 0 || !strings.Contains(fmt.Sprint(err), "i/o timeout") {
			t.Errorf("read %q, %v: want a timeout", b[:n], err)
		}
	})
}

// A connection closed into a black hole stays open for its peer, until the hole
// is gone.
func TestLostClose(t *testing.T) {
	var inj faultconn.Injector
	client, server := tcp(t, &inj)
	must(t, &inj, one(fault.BlackHole{}))
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := server.Read(make([]byte, 1)); !strings.Contains(fmt.Sprint(err), "i/o timeout") {
		t.Errorf("the peer of the lost close reads %v", err)
	}
	must(t, &inj, faultconn.Plan{})
	server.SetReadDeadline(time.Time{})
	if _, err := server.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after the next plan it reads %v, want io.EOF", err)
	}
}

func TestGarbageReply(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{When: faultconn.When{First: 1}, Fault: fault.Garbage{Text: "ERROR\r\n"}}}})
	client, server := pipe(t, &inj)
	go echo(server)
	client.Write([]byte("get key"))
	b := make([]byte, 100)
	if n, err := client.Read(b); string(b[:n]) != "ERROR\r\n" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	if got, _, err := call(client, "again"); got != "again" || err != nil {
		t.Errorf("then %q, %v", got, err)
	}
}

// Whatever the plan, the data and the sizes of reads and writes: what arrives is
// a prefix of what was sent, and what Write reports is what arrives at least.
func FuzzStream(f *testing.F) {
	f.Add([]byte("hello, world"), uint64(1), uint16(3), uint16(5), byte(0), byte(0), 0.5)
	f.Add(bytes.Repeat([]byte("x"), 500), uint64(2), uint16(100), uint16(7), byte(3), byte(3), 0.01)
	faults := []faultconn.Fault{
		fault.Slice{Size: 3, Vary: 2}, fault.Close{}, fault.Reset{}, fault.Abort{}, fault.Fail{With: "timeout"}, fault.ShortWrite{}, fault.Normal{},
	}
	scopes := []faultconn.Scope{faultconn.PerExchange, faultconn.PerConnection, faultconn.PerOperation, faultconn.PerByte}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, from, size uint16, which, scope byte, chance float64) {
		var inj faultconn.Injector
		if err := inj.SetPlan(faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{{
			When: faultconn.When{From: int64(from)}, Scope: scopes[int(scope)%len(scopes)], Chance: chance,
			Fault: faults[int(which)%len(faults)],
		}}}); err != nil {
			t.Skip(err)
		}
		a, server := net.Pipe()
		client := inj.Conn("db", a)
		step := 1 + int(size)%100
		arrived := make(chan []byte)
		go func() {
			got, _ := io.ReadAll(server)
			arrived <- got
		}()
		sent := 0
		for sent < len(data) {
			n, err := client.Write(data[sent:min(len(data), sent+step)])
			sent += n
			if err != nil {
				break
			}
		}
		client.Close()
		if got := <-arrived; !bytes.Equal(got, data[:sent]) {
			t.Errorf("Write reports %d bytes, %d arrived", sent, len(got))
		}

		a, server = net.Pipe()
		client = inj.Conn("db", a)
		defer client.Close()
		go func() {
			server.Write(data)
			server.Close()
		}()
		var got []byte
		for failures := 0; failures < 2; {
			b := make([]byte, step)
			n, err := client.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				failures++
			}
		}
		if !bytes.HasPrefix(data, got) {
			t.Errorf("%q is not a prefix of %q", got, data)
		}
	})
}

// after resets at a byte it finds by itself.
type after struct{ at int64 }

func (after) Kind() string { return "after" }
func (a after) Inject(op faultconn.Op) faultconn.Effect {
	left := a.at - op.Offset
	switch {
	case op.Kind != faultconn.OpRead || left >= int64(len(op.Data)):
		return faultconn.Effect{}
	case left > 0:
		return faultconn.Effect{Bytes: int(left)}
	}
	return faultconn.Effect{Reset: true}
}

// Bytes alone let data pass: no event, no hit, and what comes then is struck at
// its own byte.
func TestBytesAlonePass(t *testing.T) {
	var inj faultconn.Injector
	log := record(&inj)
	rule := faultconn.Rule{Name: "r", Fault: after{7}, When: faultconn.When{First: 1}}
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{rule}})
	client, server := pipe(t, &inj)
	server.Write([]byte("0123456789"))
	b := make([]byte, 10)
	if n, err := client.Read(b); string(b[:n]) != "0123456" || err != nil || inj.Hits("r") != 0 {
		t.Errorf("read %q, %v with %d hits, want seven bytes and none", b[:n], err, inj.Hits("r"))
	}
	if n, err := client.Read(b); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %q, %v, want a reset", b[:n], err)
	}
	if l := log(); len(l) != 1 || l[0].Offset != 7 || l[0].Hit != 0 {
		t.Errorf("events %v, want one at byte 7", l)
	}
}

// Garbage leaves the connection open; a rule before it ends it behind the
// garbage.
func TestTruncatedGarbage(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{
		{Select: reads, When: faultconn.When{From: 1}, Fault: fault.Close{}},
		{Name: "r", Fault: fault.Garbage{Text: "?!"}},
	}})
	client, server := pipe(t, &inj)
	go echo(server)
	if _, err := client.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(client); string(got) != "?!" || err != nil {
		t.Errorf("read %q, %v, want the garbage and the end", got, err)
	}
}
