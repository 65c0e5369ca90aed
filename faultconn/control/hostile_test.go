package control

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// TestSlowBody has clients announce a body and not send it. Nobody else waits.
func TestSlowBody(t *testing.T) {
	f := newFixture(t)
	address := strings.TrimPrefix(f.url, "http://")
	for _, route := range []string{
		"PUT " + planPath, "PUT /v1/scenario", "PATCH /v1/proxies/db", "DELETE /v1/proxies/db", "POST /populate",
		"POST /proxies", "POST /proxies/db", "POST /proxies/db/toxics", "POST /reset", "PUT /behavior", "PUT /backend",
	} {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{", route); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(100 * time.Millisecond) // until they wait in the handlers; too short, and the test asks less
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.call("POST", "/proxies/db/toxics", `{"type":"noop"}`, 200)
		f.call("GET", "/behavior", "", 200)
		f.call("GET", "/v1/scenario", "", 200)
		f.call("POST", "/reset", "", 204)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("calls wait for a body that does not come")
	}
}

// TestReaderThatDoesNotRead listens to events and reads none of them. Neither
// traffic nor calls wait, and after a while it is let go.
func TestReaderThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		defer network.Close()
		s := &Server{}
		defer s.Close()
		l, err := network.Listen("tcp", "api:1")
		if err != nil {
			t.Fatal(err)
		}
		api := &http.Server{Handler: s.Handler()}
		go api.Serve(l)
		defer api.Close()
		c, err := network.Dial("tcp", "api:1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatal(line, err)
		}
		listeners := func() int {
			s.events.mu.Lock()
			defer s.events.mu.Unlock()
			return len(s.events.subs)
		}
		start := time.Now()
		synctest.Wait()
		if listeners() != 1 {
			t.Fatal("nobody listens")
		}
		for listeners() > 0 {
			if time.Since(start) > time.Minute {
				t.Fatal("it listens for ever")
			}
			for range 10 * backlog {
				s.events.send("plan", strings.Repeat("x", 1000))
			}
			time.Sleep(time.Second)
		}
	})
}

// TestRemovedWhileDialing removes a proxy whose upstream does not answer, and
// whose dial function may not even notice that nobody wants it any more.
func TestRemovedWhileDialing(t *testing.T) {
	for _, heeds := range []bool{true, false} {
		t.Run(fmt.Sprintf("heeds its context: %v", heeds), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var network memnet.Network
				defer network.Close()
				release := make(chan struct{})
				dialing := make(chan struct{}, 1)
				s := &Server{
					Listen: func(_ context.Context, n, a string) (net.Listener, error) { return network.Listen(n, a) },
					Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
						dialing <- struct{}{}
						gone := ctx.Done()
						if !heeds {
							gone = nil
						}
						select {
						case <-gone:
						case <-release:
						}
						return nil, errors.New("too late")
					},
				}
				if err := s.Add(Proxy{Name: "db", Listen: "proxy:1", Upstream: "db:1"}); err != nil {
					t.Fatal(err)
				}
				c, err := network.Dial("tcp", "proxy:1")
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				<-dialing
				start := time.Now()
				w := httptest.NewRecorder()
				s.Handler().ServeHTTP(w, httptest.NewRequest("DELETE", "/v1/proxies/db", nil))
				if took := time.Since(start); w.Code != 204 || took > patience {
					t.Errorf("status %d after %v", w.Code, took)
				}
				if _, err := c.Read(make([]byte, 1)); err == nil {
					t.Error("the client is left alone")
				}
				if err := s.Add(Proxy{Name: "db", Listen: "proxy:1", Upstream: "db:1"}); err != nil {
					t.Errorf("the address is not free: %v", err)
				}
				close(release)
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRemovedDuringScenario takes proxies away that a scenario is about. It goes
// on with the others, says what is missing, and finds one that comes back.
func TestRemovedDuringScenario(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{}
		defer s.Close()
		call := func(method, path, body string) string {
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
			if w.Code >= 300 {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
			return w.Body.String()
		}
		add := func(name string) {
			if err := s.Add(Proxy{Name: name, Upstream: "x:1", Disabled: true}); err != nil {
				t.Fatal(err)
			}
		}
		rules := func(name string) int { return strings.Count(call("GET", "/v1/proxies/"+name+"/rules", ""), `"hits"`) }
		add("a")
		add("b")
		add("c")
		const hang = `{"rules":[{"fault":{"kind":"hang"}}]}`
		call("PUT", "/v1/scenario", `{"steps":[{"at":"30s","plans":{"a":`+hang+`,"b":`+hang+`,"c":`+hang+`}}],"repeat":"60s"}`)
		call("DELETE", "/v1/proxies/a", "")
		call("DELETE", "/v1/proxies/b", "")
		time.Sleep(31 * time.Second)
		if n := rules("c"); n != 1 {
			t.Errorf("the proxy that is there has %d rules", n)
		}
		want := `"error":"step 1: a: proxy not found\nstep 1: b: proxy not found"`
		if got := call("GET", "/v1/scenario", ""); !strings.Contains(got, want) || !strings.Contains(got, `"running":true`) {
			t.Error(got)
		}
		add("a")
		time.Sleep(60 * time.Second)
		if n := rules("a"); n != 1 {
			t.Errorf("the proxy that has come back has %d rules", n)
		}
		if got := call("GET", "/v1/scenario", ""); !strings.Contains(got, `"error":"step 2: b: proxy not found"`) {
			t.Error(got)
		}
	})
}

// TestUnixSockets has the API and a proxy on Unix sockets, where there is no
// host that a page could rebind.
func TestUnixSockets(t *testing.T) {
	dir := t.TempDir()
	s := &Server{}
	defer s.Close()
	l, err := net.Listen("unix", filepath.Join(dir, "api"))
	if err != nil {
		t.Fatal(err)
	}
	h := &httptest.Server{Listener: l, Config: &http.Server{Handler: s.Handler()}}
	h.Start()
	defer h.Close()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", l.Addr().String())
	}}
	defer tr.CloseIdleConnections()
	post := func(body string) (int, string) {
		resp, err := (&http.Client{Transport: tr}).Post("http://chaos/v1/proxies", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text)
	}
	path := filepath.Join(dir, "proxy")
	body := fmt.Sprintf(`{"name":"a","listen":"unix:%s","upstream":"%s"}`, path, echo(t))
	if code, text := post(body); code != 201 || !strings.Contains(text, `"listen":"unix:`+path+`"`) {
		t.Fatal(code, text)
	}
	if code, text := post(strings.Replace(body, `"a"`, `"b"`, 1)); code != 409 || !strings.Contains(text, path+": bind: address already in use: choose another path") {
		t.Errorf("a second one on the socket: %d %s", code, text)
	}
	left, err := net.Listen("unix", filepath.Join(dir, "left"))
	if err != nil {
		t.Fatal(err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false) // as when its process is killed
	_ = left.Close()
	if code, text := post(fmt.Sprintf(`{"name":"left","listen":"unix:%s","upstream":"x:1"}`, left.Addr())); code != 201 {
		t.Errorf("on a socket that was left behind: %d %s", code, text)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, text := post(fmt.Sprintf(`{"name":"file","listen":"unix:%s","upstream":"x:1"}`, file)); code != 409 {
		t.Errorf("in the place of a file: %d %s", code, text)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	(&client{t, c, bufio.NewReader(c)}).mustAsk()
	if err := s.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if code, text := post(body); code != 201 {
		t.Errorf("after the first has gone: %d %s", code, text)
	}
}

// TestPopulateChangesAllOrNone has the last of several changes fail: to listen,
// or because a rule of the plan has the name of a toxic already.
func TestPopulateChangesAllOrNone(t *testing.T) {
	f := newFixture(t)
	up := f.proxy("db").Upstream
	f.call("POST", "/v1/proxies", `{"name":"named","upstream":"`+up+`","plan":{"rules":[{"name":"toxic cut","select":{"conns":[99]},"fault":{"kind":"close"}}]}}`, 201)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := f.dial()
	c.mustAsk()
	before := f.call("GET", "/proxies", "", 200)
	const first = `{"name":"new","upstream":"x:1"},{"name":"db","listen":"127.0.0.1:0","upstream":"x:1","toxics":[{"type":"timeout"}]},`
	named := `"name":"named","listen":"` + f.proxy("named").Listen + `","upstream":"` + up + `"`
	for body, status := range map[string]int{
		`[` + first + `{"name":"named","listen":"` + taken.Addr().String() + `","upstream":"x:1"}]`:                           500,
		`[` + first + `{` + named + `,"toxics":[{"name":"cut","type":"noop"},{"name":"cut2","type":"latency"}]},{"name":""}]`: 400,
		`[` + first + `{` + named + `,"toxics":[{"name":"cut","type":"latency"}]}]`:                                           400,
		// To all addresses with its own port, for which it has to stop.
		`[` + first + strings.Replace(`{`+named+`},`, "127.0.0.1", "0.0.0.0", 1) + `{"name":"y","upstream":"x:1","listen":"` + taken.Addr().String() + `"}]`: 500,
	} {
		f.call("POST", "/populate", body, status)
		if after := f.call("GET", "/proxies", "", 200); after != before {
			t.Errorf("%s:\nrefused, and has changed\n%s\nto\n%s", body, before, after)
		}
		c.mustAsk()
		f.dialAt(f.proxy("named").Listen).mustAsk()
	}
}

// TestResetChangesAllOrNone has the port of a disabled proxy taken meanwhile.
func TestResetChangesAllOrNone(t *testing.T) {
	f := newFixture(t)
	f.call("POST", "/proxies", `{"name":"c","upstream":"x:1","enabled":false,"listen":"127.0.0.1:0"}`, 201)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.call("POST", "/proxies", `{"name":"d","upstream":"x:1","enabled":false,"listen":"`+taken.Addr().String()+`"}`, 201)
	f.call("POST", "/proxies/db/toxics", `{"type":"noop"}`, 200)
	before := f.call("GET", "/proxies", "", 200)
	if got := f.call("POST", "/reset", "", 500); !strings.Contains(got, "d: listen tcp") {
		t.Error(got)
	}
	if after := f.call("GET", "/proxies", "", 200); after != before {
		t.Errorf("refused, and has changed\n%s\nto\n%s", before, after)
	}
	_ = taken.Close()
	f.call("POST", "/reset", "", 204)
	if p := f.proxy("d"); p.Disabled || len(f.proxy("db").Toxics) > 0 {
		t.Errorf("%+v", f.Proxies())
	}
}

// TestThousandProxies makes them in one call, changes and shows them, and takes
// them back if one cannot be made.
func TestThousandProxies(t *testing.T) {
	const many = 1000
	var network memnet.Network
	defer network.Close()
	s := &Server{Listen: func(_ context.Context, n, a string) (net.Listener, error) { return network.Listen(n, a) }, Dial: network.DialContext}
	defer s.Close()
	call := func(method, path, body string, want int) string {
		t.Helper()
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%s %s: %d, want %d: %.200s", method, path, w.Code, want, w.Body)
		}
		return w.Body.String()
	}
	var all []string
	for i := range many {
		all = append(all, fmt.Sprintf(`{"name":"p%d","listen":"p:%d","upstream":"u:1","toxics":[{"type":"latency","attributes":{"latency":%d}}]}`, i, i+1, i))
	}
	list := "[" + strings.Join(all, ",") + "]"
	if call("POST", "/populate", strings.Replace(list, `"p:1000"`, `"p:1"`, 1), 500); len(s.Proxies()) != 0 {
		t.Errorf("one that cannot listen leaves %d others", len(s.Proxies()))
	}
	call("POST", "/populate", list, 201)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			path := fmt.Sprintf("/proxies/p%d/toxics/latency_downstream", i)
			call("PATCH", path, `{"attributes":{"jitter":1}}`, 200)
			if got := call("GET", path, "", 200); !strings.Contains(got, fmt.Sprintf(`"jitter":1,"latency":%d}`, i)) {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	call("GET", "/v1/proxies", "", 200)
	if n := strings.Count(call("GET", "/metrics", "", 200), "faultconn_rule_hits{"); n != many {
		t.Errorf("metrics of %d rules", n)
	}
	call("POST", "/reset", "", 204)
	if strings.Contains(call("GET", "/proxies", "", 200), "latency") {
		t.Error("a toxic is left")
	}
}
