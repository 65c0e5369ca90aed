package control_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// TestVirtualTime has Toxiproxy's API in a unit test: no ports, and a latency
// of twenty seconds takes none.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		defer network.Close()
		db, err := network.Listen("tcp", "db:5432")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := db.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = io.Copy(c, c)
				}()
			}
		}()
		s := &control.Server{
			Listen: func(_ context.Context, n, address string) (net.Listener, error) { return network.Listen(n, address) },
			Dial:   network.DialContext,
		}
		defer s.Close()
		if err := s.Add(control.Proxy{Name: "db", Listen: "proxy:1", Upstream: "db:5432"}); err != nil {
			t.Fatal(err)
		}
		api := s.Handler()
		call := func(method, path, body string) {
			w := httptest.NewRecorder()
			api.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
			if w.Code >= 300 {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
		c, err := network.Dial("tcp", "proxy:1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in := bufio.NewReader(c)
		ask := func() time.Duration {
			start := time.Now()
			fmt.Fprintln(c, "hello")
			if got, err := in.ReadString('\n'); err != nil || got != "hello\n" {
				t.Errorf("%q, %v", got, err)
			}
			return time.Since(start)
		}
		if took := ask(); took != 0 {
			t.Errorf("without a toxic an exchange took %v", took)
		}
		call(http.MethodPost, "/proxies/db/toxics", `{"type":"latency","attributes":{"latency":20000}}`)
		for range 3 {
			if took := ask(); took != 20*time.Second {
				t.Errorf("with a latency of 20 s an exchange took %v", took)
			}
		}
		call(http.MethodPost, "/proxies/db/toxics", `{"type":"latency","stream":"upstream","attributes":{"latency":1000}}`)
		if took := ask(); took != 21*time.Second {
			t.Errorf("with a latency of 1 s upstream an exchange took %v, want 21 s", took)
		}
		call(http.MethodPost, "/reset", "")
		call(http.MethodPost, "/proxies/db/toxics", `{"type":"bandwidth","attributes":{"rate":1}}`)
		start := time.Now()
		go func() { _, _ = c.Write(make([]byte, 60_000)) }()
		if _, err := io.CopyN(io.Discard, in, 60_000); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took < 59*time.Second || took > 61*time.Second {
			t.Errorf("60 kB at 1 kB/s took %v", took)
		}
		call(http.MethodPost, "/reset", "")
		call(http.MethodPost, "/proxies/db/toxics", `{"type":"timeout","attributes":{"timeout":5000}}`)
		start = time.Now()
		go func() {
			time.Sleep(3 * time.Second) // another toxic does not wind the clock back
			call(http.MethodPost, "/proxies/db/toxics", `{"type":"latency","attributes":{"latency":1}}`)
		}()
		_, err = in.ReadByte()
		if took := time.Since(start); err != io.EOF || took != 5*time.Second {
			t.Errorf("a timeout of 5 s, on an idle connection: %v after %v", err, took)
		}
	})
}
