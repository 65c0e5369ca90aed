package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/internal/testserver"
)

// startServer runs a server in this process and returns it with its URL. It
// drains, and everything it started has ended, when the test ends.
func startServer(t *testing.T, cfg config) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.addr = ln.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	s, err := newServer(ctx, cfg, "http://"+cfg.addr, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.serve(ctx, ln) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		s.close()
	})
	return s
}

// outcomes are what clients got.
type outcomes struct {
	auth string

	mu                   sync.Mutex
	ok, unavailable, cut int
	wrong                []string
}

// ask sends requests, each on a connection of its own, so many at once: pulls,
// and pushes large enough to take the server several reads.
func (o *outcomes) ask(s *server, requests, atOnce int) {
	large := appsOf([]string{"https://large.example/" + strings.Repeat("x", 900)})
	large = large[:len(large)-2] + `,"icon":"` + strings.Repeat("i", 64<<10) + `"}]`
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 3 * s.cfg.budget}
	var wg sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i := range requests {
		collection := fmt.Sprintf("%s/collections/ann@example.com/apps%d", s.url, i%20)
		req, _ := http.NewRequest("GET", collection, nil)
		if i%3 == 0 {
			req, _ = http.NewRequest("POST", collection, strings.NewReader(large))
		}
		req.Header.Set("Authorization", o.auth)
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			resp, err := client.Do(req)
			var body []byte
			if err == nil {
				body, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			o.mu.Lock()
			defer o.mu.Unlock()
			switch {
			case err != nil:
				o.cut++
			case resp.StatusCode == 200:
				o.ok++
			case resp.StatusCode == 503 && resp.Header.Get("Retry-After") != "":
				o.unavailable++
			default:
				o.wrong = append(o.wrong, resp.Status+" "+string(body))
			}
		})
	}
	wg.Wait()
}

// With three connections in ten broken in each of four ways, whoever can be
// answered is, nobody gets a wrong answer, and when the faults end the server is
// as it was before: same answers, same goroutines, same memory.
func TestBadDay(t *testing.T) {
	cache := testserver.Memcached(t)
	cfg := config{
		db: "sqlite:" + t.TempDir() + "/appsync.db", memcached: []string{cache.Addr}, verifier: "dev",
		cache: time.Minute, budget: 700 * time.Millisecond, retryAfter: 7 * time.Second, faults: "badday.yaml",
	}
	s := startServer(t, cfg)
	bad := s.plan.rules()
	if err := s.faults.SetPlan(faultconn.Plan{}); err != nil {
		t.Fatal(err)
	}
	auth := (&process{t: t, url: s.url}).login("ann@example.com").auth

	// Without faults everybody is answered, once the machine has the time: a
	// budget is a promise about real time.
	calm := func() {
		t.Helper()
		if err := s.faults.SetPlan(faultconn.Plan{}); err != nil {
			t.Fatal(err)
		}
		until(t, "everybody is answered", func() bool {
			o := outcomes{auth: auth}
			o.ask(s, 100, 4)
			if len(o.wrong) > 0 {
				t.Errorf("answers that are neither 200 nor 503 with Retry-After: %q", o.wrong)
			}
			return o.ok == 100
		})
	}
	calm()
	goroutines, heap := settled()

	if err := s.faults.SetPlan(faultconn.Plan{Seed: 1, Rules: bad}); err != nil {
		t.Fatal(err)
	}
	o := outcomes{auth: auth}
	o.ask(s, 200, 40)
	if len(o.wrong) > 0 {
		t.Errorf("answers that are neither 200 nor 503 with Retry-After: %q", o.wrong)
	}
	// 0.7⁴ of the pulls are spared; a push that waits for its body is a 503.
	if o.ok == 0 || o.unavailable == 0 || o.cut == 0 {
		t.Errorf("of 200 requests %d were answered, %d got 503 and %d were cut off: this was no bad day", o.ok, o.unavailable, o.cut)
	}
	for _, rule := range s.faults.Unfired() {
		if strings.HasPrefix(rule, "clients") {
			t.Errorf("%q never struck", rule)
		}
	}
	calm()
	until(t, "as many goroutines as before", func() bool { n, _ := settled(); return n <= goroutines })
	_, after := settled()
	if grown := after - heap; grown > 2<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
	t.Logf("of 200 requests on a bad day %d were answered, %d got 503, %d were cut off; goroutines %d, heap %+d KiB",
		o.ok, o.unavailable, o.cut, goroutines, (after-heap)>>10)
}

// settled returns the numbers of goroutines and of bytes in use.
func settled() (goroutines int, heap int64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return runtime.NumGoroutine(), int64(m.HeapAlloc)
}

func TestPlanFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"good.yaml", "rules: [{name: a, fault: {kind: hang}}]", ""},
		{"good.json", `{"rules": [{"name": "a", "fault": {"kind": "delay", "for": "20s"}}]}`, ""},
		{"tabs.yaml", "rules:\n\t- x", "tabs.yaml"},
		{"unknown.yaml", "rules: [{name: a, fault: {kind: explode}}]", "explode"},
		{"field.yaml", "rules: [{name: a, chances: 1, fault: {kind: hang}}]", "chances"},
		{"chance.yaml", "rules: [{name: a, chance: 30, fault: {kind: hang}}]", `rule "a": chance 30`},
		{"point.yaml", "rules: [{name: a, select: {point: mysql}, fault: {kind: hang}}]", `the point "mysql"`},
	} {
		file := t.TempDir() + "/" + c.name
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readPlan(file)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: error %v, want one that says %s", c.name, err, c.want)
		}
	}
	if _, err := readPlan(t.TempDir() + "/none.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
}
