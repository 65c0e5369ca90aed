package control_test

import (
	"context"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// TestNoCallWaitsForTraffic changes everything about connections that are
// stuck: their client does not read, their upstream never stops, and faults
// hold what there is. It is what Toxiproxy's users complain of most.
func TestNoCallWaitsForTraffic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		defer network.Close()
		db, err := network.Listen("tcp", "db:1")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c, err := db.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			for err == nil { // until the proxy ends it
				_, err = c.Write(make([]byte, 4096))
			}
		}()
		s := &control.Server{
			Listen: func(_ context.Context, n, address string) (net.Listener, error) { return network.Listen(n, address) },
			Dial:   network.DialContext,
		}
		defer s.Close()
		if err := s.Add(control.Proxy{Name: "db", Listen: "proxy:1", Upstream: "db:1"}); err != nil {
			t.Fatal(err)
		}
		c, err := network.Dial("tcp", "proxy:1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		api := s.Handler()
		call := func(method, path, body string, want int) {
			t.Helper()
			// All that can move has: buffers are full, or faults hold what comes.
			synctest.Wait()
			start := time.Now()
			w := httptest.NewRecorder()
			api.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
			if w.Code != want {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("%s %s took %v", method, path, took)
			}
		}
		call("GET", "/v1/proxies/db/connections", "", 200)
		stuck := s.Totals()[0]
		time.Sleep(time.Minute)
		if now := s.Totals()[0]; now != stuck || now.Down == 0 {
			t.Fatalf("it is not stuck: %+v, a minute later %+v", stuck, now)
		}
		call("POST", "/proxies/db/toxics", `{"type":"latency","attributes":{"latency":3600000}}`, 200)
		call("POST", "/proxies/db/toxics", `{"type":"bandwidth","attributes":{"rate":1}}`, 200)
		call("POST", "/proxies/db/toxics", `{"type":"slow_close","stream":"upstream","attributes":{"delay":3600000}}`, 200)
		call("PATCH", "/proxies/db/toxics/latency_downstream", `{"attributes":{"jitter":5}}`, 200)
		call("DELETE", "/proxies/db/toxics/latency_downstream", "", 204)
		call("PUT", "/v1/proxies/db/plan", `{"rules":[{"fault":{"kind":"delay","for":"1h"},"select":{"ops":["close","write","read"]}}]}`, 200)
		call("GET", "/v1/proxies/db/connections", "", 200)
		call("GET", "/metrics", "", 200)
		call("POST", "/reset", "", 204)
		call("PATCH", "/v1/proxies/db", `{"enabled":false}`, 200)
		call("PATCH", "/v1/proxies/db", `{"enabled":true}`, 200)
		call("DELETE", "/proxies/db", "", 204)
		<-done
	})
}
