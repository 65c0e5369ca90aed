package faultconn_test

import (
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// packets sends through one wrapped socket to another and returns what arrives,
// up to a packet "end" that is sent to the bare socket.
func packets(t *testing.T, p faultconn.Plan, send ...string) (got []string, events int) {
	t.Helper()
	a, b := udp(t), udp(t)
	var inj faultconn.Injector
	log := record(&inj)
	must(t, &inj, p)
	from := inj.PacketConn("a", a)
	for _, s := range send {
		if n, err := from.WriteTo([]byte(s), b.LocalAddr()); n != len(s) || err != nil {
			t.Fatalf("sent %d of %d, %v", n, len(s), err)
		}
	}
	if _, err := a.WriteTo([]byte("end"), b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	return until(t, b, "end"), len(log())
}

// until receives packets up to the last.
func until(t *testing.T, c net.PacketConn, last string) (got []string) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	for {
		buf := make([]byte, 100)
		n, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		if string(buf[:n]) == last {
			return got
		}
		got = append(got, string(buf[:n]))
	}
}

func udp(t *testing.T) net.PacketConn {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestPacketsOut(t *testing.T) {
	for _, c := range []struct {
		name string
		rule faultconn.Rule
		want int
	}{
		{"loss", faultconn.Rule{When: faultconn.When{First: 2}, Fault: fault.BlackHole{}}, 1},
		{"duplication", faultconn.Rule{When: faultconn.When{First: 1}, Fault: fault.Duplicate{}}, 4},
		{"mtu", faultconn.Rule{Fault: fault.MTU{Bytes: 3}}, 1},
	} {
		c.rule.Scope = faultconn.PerOperation
		got, events := packets(t, faultconn.Plan{Rules: []faultconn.Rule{c.rule}}, "first", "second", "3rd")
		if len(got) != c.want || events == 0 {
			t.Errorf("%s: %q arrived with %d events", c.name, got, events)
		}
	}
}

// A packet that is changed stays one packet.
func TestPacketCorruption(t *testing.T) {
	got, _ := packets(t, faultconn.Plan{Rules: []faultconn.Rule{{
		Scope: faultconn.PerByte, Chance: 1, Fault: fault.Corrupt{Bits: 8},
	}}}, "\x00\xff\x00", "\x0f")
	if len(got) != 2 || got[0] != "\xff\x00\xff" || got[1] != "\xf0" {
		t.Errorf("arrived: %q", got)
	}
}

// A delayed packet is overtaken by the next, on the way out and on the way in.
func TestPacketsAreReordered(t *testing.T) {
	plan := faultconn.Plan{Rules: []faultconn.Rule{{
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpWrite, faultconn.OpRead}},
		Scope:  faultconn.PerOperation, When: faultconn.When{First: 1}, Fault: fault.Delay{For: 50 * time.Millisecond},
	}}}
	a, b := udp(t), udp(t)
	var inj faultconn.Injector
	must(t, &inj, plan)
	from := inj.PacketConn("a", a)
	from.WriteTo([]byte("slow"), b.LocalAddr())
	from.WriteTo([]byte("fast"), b.LocalAddr())
	if got := until(t, b, "slow"); len(got) != 1 || got[0] != "fast" {
		t.Errorf("out: before the slow one came %q", got)
	}
	must(t, &inj, plan)
	to := inj.PacketConn("b", b)
	a.WriteTo([]byte("slow"), b.LocalAddr())
	a.WriteTo([]byte("fast"), b.LocalAddr())
	if got := until(t, to, "slow"); len(got) != 1 || got[0] != "fast" {
		t.Errorf("in: before the slow one came %q", got)
	}
}

func TestPacketDeadlineAndClose(t *testing.T) {
	a, b := udp(t), udp(t)
	var inj faultconn.Injector
	must(t, &inj, faultconn.Plan{Rules: []faultconn.Rule{{
		Select: faultconn.Select{Ops: []faultconn.OpKind{faultconn.OpRead, faultconn.OpWrite}}, Scope: faultconn.PerOperation,
		Fault: fault.Delay{For: time.Hour},
	}}})
	to := inj.PacketConn("b", b)
	a.WriteTo([]byte("held"), b.LocalAddr())
	to.WriteTo([]byte("held"), a.LocalAddr())
	to.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, _, err := to.ReadFrom(make([]byte, 9)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	to.SetReadDeadline(time.Time{})
	read := make(chan error)
	go func() {
		_, _, err := to.ReadFrom(make([]byte, 9))
		read <- err
	}()
	if err := to.Close(); err != nil {
		t.Error(err)
	}
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}

func TestPacketFailure(t *testing.T) {
	a := udp(t)
	var inj faultconn.Injector
	must(t, &inj, one(fault.Fail{With: "pipe"}))
	_, err := inj.PacketConn("a", a).WriteTo([]byte("x"), a.LocalAddr())
	errno(t, err, "write", syscall.EPIPE)
}

// Who is told of a fault may use the connection, as that of a stream.
func TestPacketEventMayClose(t *testing.T) {
	var inj faultconn.Injector
	a := udp(t)
	c := inj.PacketConn("a", a)
	inj.OnEvent = func(faultconn.Event) { c.Close() }
	must(t, &inj, one(fault.Duplicate{}))
	if _, err := c.WriteTo([]byte("x"), a.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

// negative is a fault whose author has subtracted too much.
type negative struct{}

func (negative) Kind() string { return "negative" }
func (negative) Inject(faultconn.Op) faultconn.Effect {
	return faultconn.Effect{Hit: true, Bytes: -5, Copies: -5, Delay: -5, Rate: -5, Err: syscall.EPIPE}
}

// A number below zero is none, of bytes and copies as of durations.
func TestNegativeEffects(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, one(negative{}))
	client, server := pipe(t, &inj)
	go server.Write([]byte("x"))
	n, err := client.Read(make([]byte, 1))
	if n != 0 || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("read: %d, %v", n, err)
	}
	n, err = client.Write([]byte("x"))
	if n != 0 || !errors.Is(err, syscall.EPIPE) {
		t.Errorf("write: %d, %v", n, err)
	}
	if got, _ := packets(t, rules(faultconn.Rule{Fault: fewer{}}), "one"); len(got) != 1 {
		t.Errorf("arrived: %q", got)
	}
}

type fewer struct{ negative }

func (fewer) Inject(faultconn.Op) faultconn.Effect { return faultconn.Effect{Hit: true, Copies: -5} }

func TestPacketsPassWithoutPlan(t *testing.T) {
	if got, _ := packets(t, faultconn.Plan{}, "one", "two"); len(got) != 2 {
		t.Errorf("arrived: %q", got)
	}
}

// Rules that stay count on over packets too, and Close gives a place back.
func TestUpdateUnderPackets(t *testing.T) {
	a, b := udp(t), udp(t)
	var inj faultconn.Injector
	lossy := faultconn.Rule{Name: "lossy", Scope: faultconn.PerOperation, When: faultconn.When{First: 2}, Limits: faultconn.Limits{Conns: 1}, Fault: fault.BlackHole{}}
	must(t, &inj, rules(lossy))
	first := inj.PacketConn("a", a)
	for i, s := range []string{"one", "two", "three", "end"} {
		update(t, &inj, rules(bystander(i), lossy))
		if _, err := first.WriteTo([]byte(s), b.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	if got := until(t, b, "end"); len(got) != 1 || got[0] != "three" {
		t.Errorf("arrived %q, want the third alone", got)
	}

	lossy.When.First = 0
	update(t, &inj, rules(lossy))
	second := inj.PacketConn("a", udp(t))
	for _, c := range []net.PacketConn{first, second} {
		if _, err := c.WriteTo([]byte("x"), b.LocalAddr()); err != nil {
			t.Fatal(err)
		}
		if n := inj.Hits("lossy"); n != 1 {
			t.Errorf("%d hits, want that of the first socket only", n)
		}
	}
	first.Close()
	if _, err := second.WriteTo([]byte("x"), b.LocalAddr()); err != nil || inj.Hits("lossy") != 2 {
		t.Errorf("%v, %d hits: the place of a closed socket is not taken", err, inj.Hits("lossy"))
	}
}

// oneWay makes packets of what goes through net.Pipe, whose readers are served in
// the order in which they came.
type oneWay struct{ net.Conn }

func (c oneWay) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := c.Read(b)
	return n, c.RemoteAddr(), err
}
func (c oneWay) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

// Two goroutines were reading when the plan came. The packet that one of them has
// is due though the other waits for one, which is not told of a deadline that is
// not its own.
func TestPacketsForSeveralReaders(t *testing.T) {
	delay := faultconn.Plan{Rules: []faultconn.Rule{{Scope: faultconn.PerOperation, Fault: fault.Delay{For: time.Second}}}}
	for _, parked := range []int{1, 2} { // before the plan
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			defer b.Close()
			var inj faultconn.Injector
			c := inj.PacketConn("p", oneWay{a})
			var readers sync.WaitGroup
			got := make(chan string, 2)
			for i := range 2 {
				if i == parked {
					must(t, &inj, delay)
				}
				readers.Go(func() {
					buf := make([]byte, 10)
					n, _, err := c.ReadFrom(buf)
					if err != nil {
						t.Errorf("reader %d: %v", i, err)
					}
					got <- string(buf[:n])
				})
				synctest.Wait()
			}
			if parked == 2 {
				must(t, &inj, delay)
			}
			start := time.Now()
			for _, packet := range []string{"one", "two"} {
				if _, err := b.Write([]byte(packet)); err != nil {
					t.Fatal(err)
				}
				select {
				case s := <-got:
					if d := time.Since(start); s != packet || d != time.Second {
						t.Errorf("%d parked: %q after %v", parked, s, d)
					}
				case <-time.After(time.Minute):
					t.Errorf("%d parked: %q has not come in a minute", parked, packet)
				}
				start = time.Now()
			}
			c.Close()
			readers.Wait()
		})
	}
}
