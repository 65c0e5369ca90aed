package control

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestVaurienRoutes(t *testing.T) {
	f := newFixture(t)
	if got := f.call("GET", "/behaviors", "", 200); got != `{"behaviors":["abort","blackout","delay","dummy","error","hang","transient"]}` {
		t.Error(got)
	}
	if got := f.call("GET", "/behavior", "", 200); got != `{"behavior":"dummy"}` {
		t.Error(got)
	}
	if got := f.call("PUT", "/behavior", `{"name":"delay","sleep":0.03,"before":false}`, 200); got != `{"status":"ok"}` {
		t.Error(got)
	}
	c := f.dial()
	start := time.Now()
	c.mustAsk()
	if took := time.Since(start); took < 30*time.Millisecond {
		t.Errorf("took %v, want the delay of 30 ms", took)
	}
	// As with_behavior does it: another one, then the name of the one before,
	// whose options have been kept.
	f.call("PUT", "/behavior", `{"name":"dummy"}`, 200)
	f.call("PUT", "/behavior", `{"name":"delay"}`, 200)
	rules := f.call("GET", "/v1/proxies/db/rules", "", 200)
	if !strings.Contains(rules, `"for":"30ms"`) {
		t.Errorf("the options are lost: %s", rules)
	}
	got := f.call("PUT", "/behavior", `{"name":"x"}`, 400)
	if got != `{"errors":[{"description":"the 'x' behavior does not exist","location":"body","name":"name"}],"status":"error"}` {
		t.Error(got)
	}
	up := f.proxy("db").Upstream
	if got := f.call("GET", "/backend", "", 200); got != `{"backend":"`+up+`"}` {
		t.Error(got)
	}
	f.call("PUT", "/backend", `{"backend":"`+up+`"}`, 200)
	c.mustAsk() // the same backend is no change
	f.call("PUT", "/backend", `{"backend":"127.0.0.1:1"}`, 200)
	if got := f.call("GET", "/backend", "", 200); got != `{"backend":"127.0.0.1:1"}` {
		t.Error(got)
	}
	c.mustAsk() // another one is for those who come now
	// An RST may come before the dial has returned.
	if d, err := net.Dial("tcp", f.proxy("db").Listen); err == nil {
		if how := (&client{t, d, bufio.NewReader(d)}).ended(10 * time.Second); how != "rst" {
			t.Errorf("a new connection to a backend that refuses: %s", how)
		}
		_ = d.Close()
	} else if !errors.Is(err, syscall.ECONNRESET) {
		t.Error(err)
	}
	f.call("PUT", "/backend", `{"backend":"`+up+`"}`, 200)
	f.dial().mustAsk()
	for _, c := range []struct{ path, body string }{
		{"/backend", `{"backend":"` + f.proxy("db").Listen + `"}`},
		{"/backend", `{`}, {"/backend", `{"backend":"nowhere"}`}, {"/backend", `[]`},
		{"/behavior", `{`}, {"/behavior", `{}`}, {"/behavior", `{"name":"delay","sleep":-1}`}, {"/behavior", `{"name":"delay","nap":1}`},
		{"/behavior", `{"name":"hang","sleep":1}`}, {"/behavior", `{"name":"20:delay","sleep":1}`}, {"/behavior", `{"name":["delay"]}`},
		{"/behavior", `{"name":"90:delay,20:hang"}`}, {"/behavior", `{"name":"20:x"}`},
	} {
		if got := f.call("PUT", c.path, c.body, 400); !strings.Contains(got, `"status":"error"`) {
			t.Errorf("%s: %s", c.body, got)
		}
	}
	if got := f.call("GET", "/behavior", "", 200); got != `{"behavior":"delay"}` {
		t.Error(got)
	}
}

func TestBehaviors(t *testing.T) {
	put := func(t *testing.T, body string) (*fixture, *client) {
		f := newFixture(t)
		c := f.dial()
		c.mustAsk()
		f.call("PUT", "/behavior", body, 200)
		return f, c
	}
	t.Run("error", func(t *testing.T) {
		_, c := put(t, `{"name":"error"}`)
		if _, err := c.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		if n, err := io.ReadFull(c.in, make([]byte, 1000)); n != 1000 {
			t.Errorf("%d random bytes, %v", n, err)
		}
	})
	t.Run("transient", func(t *testing.T) {
		_, c := put(t, `{"name":"transient","inject":true}`)
		if text, err := c.ask("hello"); text == "hello" {
			t.Errorf("the first reply is as it should not be: %v", err)
		}
		_, _ = c.in.Discard(c.in.Buffered())
		for range 20 { // garbage may hold line ends
			if text, _ := c.ask("hello"); text == "hello" {
				return
			}
		}
		t.Error("it does not heal")
	})
	t.Run("hang", func(t *testing.T) {
		_, c := put(t, `{"name":"hang"}`)
		if _, err := c.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		if how := c.ended(100 * time.Millisecond); how != "open" {
			t.Error(how)
		}
	})
	t.Run("blackout", func(t *testing.T) {
		f, c := put(t, `{"name":"blackout"}`)
		if how := c.ended(10 * time.Second); how == "open" {
			t.Error("an open connection stays open")
		}
		if how := f.dial().ended(10 * time.Second); how != "fin" {
			t.Errorf("a new connection: %s, want it accepted and closed", how)
		}
	})
	t.Run("abort", func(t *testing.T) {
		_, c := put(t, `{"name":"abort"}`)
		if text, err := c.ask("hello"); text != "" || err == nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// TestProtocolErrors has error and transient answer as the upstream's protocol
// has it, as vaurien does for HTTP.
func TestProtocolErrors(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "well") }))
	defer web.Close()
	f := newFixture(t)
	if err := f.Add(Proxy{
		Name: "a", Upstream: strings.TrimPrefix(web.URL, "http://"), Protocol: "http",
		Behavior: "transient", BehaviorOptions: map[string]map[string]any{"transient": {"agitate": 2}},
	}); err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr}
	get := func() int {
		resp, err := c.Get("http://" + f.proxy("a").Listen)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	for i, want := range []int{503, 503, 200} {
		if got := get(); got != want {
			t.Errorf("reply %d of a transient error: %d, want %d", i+1, got, want)
		}
	}
	// A change elsewhere lets it follow the same connection on.
	f.call("PUT", "/behavior", `{"name":"error"}`, 200)
	f.call("POST", "/proxies/a/toxics", `{"type":"noop"}`, 200)
	if got := get(); got != 503 {
		t.Errorf("after another change: %d, want 503", got)
	}
	f.call("PUT", "/v1/proxies/a/plan", `{"rules":[{"fault":{"kind":"reply","protocol":"http","error":"502"}}]}`, 200)
	f.call("PUT", "/behavior", `{"name":"dummy"}`, 200)
	for range 2 {
		if got := get(); got != 502 {
			t.Errorf("with a plan: %d, want 502", got)
		}
	}
	f.call("POST", "/v1/proxies", `{"name":"x","upstream":"a:1","protocol":"gopher"}`, 400)
}

// TestMixRestored gives back what GET has said, as with_behavior does in the
// end: a mix too, with the options of its parts.
func TestMixRestored(t *testing.T) {
	f := newFixture(t)
	f.call("PUT", "/behavior", `{"name":"delay","sleep":0.5}`, 200)
	f.call("PUT", "/behavior", `{"name":"20:delay,10:error"}`, 200)
	was := f.call("GET", "/v1/proxies/db/rules", "", 200)
	if !strings.Contains(was, `"for":"500ms"`) {
		t.Errorf("the options of a part are lost: %s", was)
	}
	f.call("PUT", "/behavior", `{"name":"hang"}`, 200)
	f.call("PUT", "/behavior", `{"name":"20:delay,10:error"}`, 200)
	if got := f.call("GET", "/v1/proxies/db/rules", "", 200); got != was {
		t.Errorf("restored: %s\nwas: %s", got, was)
	}
}

func TestPercentages(t *testing.T) {
	f := newFixture(t)
	f.call("PUT", "/behavior", `{"name":"20:delay,10:dummy"}`, 200)
	if got := f.call("GET", "/v1/proxies/db/rules", "", 200); !strings.Contains(got, `"mix":[{"percent":20,"fault":{"kind":"delay","for":"1s"}}]`) {
		t.Errorf("dummy in a mix of less than 100: %s", got)
	}
	f.call("POST", "/v1/proxies", `{"name":"a","upstream":"x:1","enabled":false,"behavior":"20:delay,10:error,70:dummy"}`, 201)
	got := f.call("GET", "/v1/proxies/a/rules", "", 200)
	if !strings.Contains(got, `"mix":[{"percent":20,"fault":{"kind":"delay","for":"1s"}},{"percent":10,"fault":{"kind":"garbage"}}]`) {
		t.Error(got)
	}
	if got := f.call("GET", "/behavior", "", 200); got != `{"behavior":"20:delay,10:error,70:dummy"}` {
		t.Errorf("the first proxy by name: %s", got)
	}
}
