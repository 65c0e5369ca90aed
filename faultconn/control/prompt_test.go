package control

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestNoCallWaitsForTraffic changes everything about connections that are
// stuck: their client does not read, their upstream never stops, and faults
// hold what there is. It is what Toxiproxy's users complain of most.
func TestNoCallWaitsForTraffic(t *testing.T) {
	f := newFixture(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.Copy(c, zeros{}) // until the proxy ends it
	}()
	if err := f.Remove("db"); err != nil {
		t.Fatal(err)
	}
	if err := f.Add(Proxy{Name: "db", Upstream: l.Addr().String()}); err != nil {
		t.Fatal(err)
	}
	c := f.dial()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	// Until all buffers are full: nothing has moved since the last look.
	for last, now := int64(-1), int64(0); last != now; {
		time.Sleep(50 * time.Millisecond)
		last, now = now, f.entries()[0].total().Down
	}
	start := time.Now()
	f.call("POST", "/proxies/db/toxics", `{"type":"latency","attributes":{"latency":3600000}}`, 200)
	f.call("POST", "/proxies/db/toxics", `{"type":"bandwidth","attributes":{"rate":1}}`, 200)
	f.call("POST", "/proxies/db/toxics", `{"type":"slow_close","stream":"upstream","attributes":{"delay":3600000}}`, 200)
	f.call("PATCH", "/proxies/db/toxics/latency_downstream", `{"attributes":{"jitter":5}}`, 200)
	f.call("DELETE", "/proxies/db/toxics/latency_downstream", "", 204)
	f.call("PUT", planPath, `{"rules":[{"fault":{"kind":"delay","for":"1h"},"select":{"ops":["close","write","read"]}}]}`, 200)
	f.call("GET", "/v1/proxies/db/connections", "", 200)
	f.call("GET", "/metrics", "", 200)
	f.call("POST", "/reset", "", 204)
	f.call("PATCH", "/v1/proxies/db", `{"enabled":false}`, 200)
	f.call("PATCH", "/v1/proxies/db", `{"enabled":true}`, 200)
	f.call("DELETE", "/proxies/db", "", 204)
	// The bound is for a loaded machine; one that waits takes an hour.
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the calls took %v", took)
	}
	<-done
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }
