package faultconn_test

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// Writes from several goroutines come out one after the other, as those of a
// socket do, though the plan goes while one is cut into pieces.
func TestWritesDoNotMix(t *testing.T) {
	for name, next := range map[string]faultconn.Plan{"no plan": {}, "a plan for others": rules(bystander(1))} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var inj faultconn.Injector
				must(t, &inj, one(fault.Slice{Size: 1, Gap: time.Second}))
				client, server := pipe(t, &inj)
				var writing sync.WaitGroup
				writing.Go(func() { client.Write([]byte("aaaaaaaa")) })
				time.Sleep(2500 * ms)
				writing.Go(func() {
					// As soon as the way is free, and not before.
					must(t, &inj, next)
					client.Write([]byte("bbbb"))
					client.(interface{ CloseWrite() error }).CloseWrite()
				})
				got, err := io.ReadAll(server)
				if string(got) != "aaaaaaaabbbb" || err != nil {
					t.Errorf("%q, %v, want aaaaaaaabbbb", got, err)
				}
				writing.Wait()
			})
		})
	}
}

// slowClose takes its time to close.
type slowClose struct{ net.Conn }

func (c slowClose) Close() error {
	time.Sleep(time.Minute)
	return c.Conn.Close()
}

// Connections that were closed into a black hole are closed when the rule goes,
// and nobody else waits for that.
func TestLostConnectionsThatCloseSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var inj faultconn.Injector
		must(t, &inj, one(fault.BlackHole{}))
		a, server := memnet.Pipe()
		lost := inj.Conn("db", slowClose{a})
		lost.Close()
		if err := lost.SetDeadline(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a deadline on a closed connection: %v, want net.ErrClosed", err)
		}
		var changing sync.WaitGroup
		changing.Go(func() { must(t, &inj, faultconn.Plan{}) })
		synctest.Wait()
		start := time.Now()
		client, other := pipe(t, &inj)
		go echo(other)
		if got, _, err := call(client, "hello"); got != "hello" || err != nil || time.Since(start) != 0 {
			t.Errorf("%q, %v after %v", got, err, time.Since(start))
		}
		changing.Wait()
		if _, err := server.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the peer reads %v, want EOF", err)
		}
	})
}

// A packet connection that is closed takes no place among those that are struck.
func TestClosedPacketConnsAreNotStruck(t *testing.T) {
	var inj faultconn.Injector
	must(t, &inj, rules(faultconn.Rule{Name: "r", Fault: fault.Corrupt{}, Limits: faultconn.Limits{Conns: 1}}))
	c := inj.PacketConn("p", udp(t))
	c.Close()
	if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); !errors.Is(err, net.ErrClosed) || inj.Hits("r") != 0 {
		t.Errorf("a write after Close: %v, %d hits", err, inj.Hits("r"))
	}
	c = inj.PacketConn("p", udp(t))
	defer c.Close()
	if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil || inj.Hits("r") != 1 {
		t.Errorf("a write of the next: %v, %d hits, want 1", err, inj.Hits("r"))
	}
}
