package control

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// TestPushLatency has an upstream that sends on its own: latency makes every
// message of it late, and its end.
func TestPushLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		defer network.Close()
		up, err := network.Listen("tcp", "up:1")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		sent := func(i int) time.Time { return start.Add(time.Duration(i) * 30 * time.Millisecond) }
		go func() {
			u, err := up.Accept()
			if err != nil {
				return
			}
			for i := range 20 {
				time.Sleep(time.Until(sent(i)))
				_, _ = u.Write([]byte{byte(i)})
			}
			_ = u.Close()
		}()
		s := &Server{
			Listen: func(_ context.Context, n, a string) (net.Listener, error) { return network.Listen(n, a) },
			Dial:   network.DialContext,
		}
		defer s.Close()
		latency := Toxic{Type: "latency", Toxicity: 1, Attributes: map[string]int64{"latency": 100}}
		if err := s.Add(Proxy{Name: "p", Listen: "p:1", Upstream: "up:1", Toxics: []Toxic{latency}}); err != nil {
			t.Fatal(err)
		}
		c, err := network.Dial("tcp", "p:1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for i := range 20 {
			b := make([]byte, 1)
			if _, err := c.Read(b); err != nil || b[0] != byte(i) {
				t.Fatalf("message %d: %d, %v", i, b[0], err)
			}
			if late := time.Since(sent(i)); late != 100*time.Millisecond {
				t.Errorf("message %d was late by %v", i, late)
			}
		}
		ended := sent(19).Add(100 * time.Millisecond)
		if _, err := c.Read(make([]byte, 1)); err != io.EOF || time.Since(ended) < 0 {
			t.Errorf("the end: %v, %v after its time", err, time.Since(ended))
		}
	})
}
