package control

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/wait"
)

func TestToxiproxyRoutes(t *testing.T) {
	f := newFixture(t)
	up := f.proxy("db").Upstream
	if got := f.call("GET", "/version", "", 200); got != `{"version":"2.12.0"}` {
		t.Error(got)
	}
	f.call("POST", "/proxies", `{"name":"b","listen":"127.0.0.1:0","upstream":"`+up+`"}`, 201)
	all := parse[map[string]toxicProxy](t, f.call("GET", "/proxies", "", 200))
	if b := all["b"]; len(all) != 2 || !b.Enabled || b.Toxics == nil || strings.HasSuffix(b.Listen, ":0") || b.Upstream != up {
		t.Errorf("%+v", all)
	}

	// A toxic: created with its defaults, listed, shown, changed, removed.
	got := f.call("POST", "/proxies/b/toxics", `{"type":"latency","attributes":{"latency":1}}`, 200)
	want := `{"name":"latency_downstream","type":"latency","stream":"downstream","toxicity":1,"attributes":{"jitter":0,"latency":1}}`
	if got != want {
		t.Errorf("created %s\nwant    %s", got, want)
	}
	for _, method := range []string{"POST", "PATCH"} {
		got = f.call(method, "/proxies/b/toxics/latency_downstream", `{"toxicity":0.5,"attributes":{"jitter":3},"stream":"upstream"}`, 200)
		want = strings.NewReplacer(`"toxicity":1`, `"toxicity":0.5`, `"jitter":0`, `"jitter":3`).Replace(want)
		if got != want {
			t.Errorf("updated %s\nwant    %s", got, want)
		}
	}
	if got := f.call("GET", "/proxies/b/toxics/latency_downstream", "", 200); got != want {
		t.Error(got)
	}
	if got := f.call("GET", "/proxies/b/toxics", "", 200); got != "["+want+"]" {
		t.Error(got)
	}
	f.call("DELETE", "/proxies/b/toxics/latency_downstream", "", 204)
	if got := f.call("GET", "/proxies/b/toxics", "", 200); got != "[]" {
		t.Error(got)
	}

	// Disabled, the proxy refuses; reset enables it and takes toxics off.
	f.call("POST", "/proxies/b/toxics", `{"type":"timeout"}`, 200)
	b := parse[toxicProxy](t, f.call("POST", "/proxies/b", `{"enabled":false}`, 200))
	if c, err := net.Dial("tcp", b.Listen); err == nil {
		_ = c.Close()
		t.Error("a disabled proxy accepts connections")
	}
	f.call("POST", "/reset", "", 204)
	b2 := parse[toxicProxy](t, f.call("GET", "/proxies/b", "", 200))
	if !b2.Enabled || len(b2.Toxics) != 0 || b2.Listen != b.Listen {
		t.Errorf("after reset: %+v", b2)
	}
	f.call("DELETE", "/proxies/b", "", 204)
	f.call("GET", "/proxies/b", "", 404)
}

// TestToxiproxyErrors has what Toxiproxy answers, status and words.
func TestToxiproxyErrors(t *testing.T) {
	f := newFixture(t)
	before := f.call("GET", "/proxies", "", 200)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	for _, c := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/proxies/x", "", 404, "proxy not found"},
		{"DELETE", "/proxies/x", "", 404, "proxy not found"},
		{"POST", "/proxies/x", "{}", 404, "proxy not found"},
		{"GET", "/proxies/db/toxics/x", "", 404, "toxic not found"},
		{"DELETE", "/proxies/db/toxics/x", "", 404, "toxic not found"},
		{"PATCH", "/proxies/db/toxics/x", "{}", 404, "toxic not found"},
		{"POST", "/proxies", "{", 400, "bad request body: "},
		{"POST", "/proxies", `{"upstream":"a:1"}`, 400, "missing required field: name"},
		{"POST", "/proxies", `{"name":"..","upstream":"a:1"}`, 400, "could not be called by its name"},
		{"POST", "/proxies", `{"name":"x"}`, 400, "missing required field: upstream"},
		{"POST", "/proxies", `{"name":"db","upstream":"a:1"}`, 409, "proxy already exists"},
		{"POST", "/proxies", `{"name":"x","upstream":"a:1","listen":"` + taken + `"}`, 500, "address already in use"},
		{"POST", "/proxies/db", `{"listen":"` + taken + `"}`, 500, "address already in use"},
		{"POST", "/proxies/db", `{"upstream":"nowhere"}`, 400, "host:port"},
		{"POST", "/proxies/db", `{"upstream":"` + f.proxy("db").Listen + `"}`, 400, "where the proxy itself listens"},
		{"POST", "/proxies", "{\"name\":\"\xff\",\"upstream\":\"a:1\"}", 400, "must be UTF-8"},
		{"POST", "/proxies/db/toxics", `{"type":"noop","name":".."}`, 400, "could not be called by its name"},
		{"POST", "/proxies/db/toxics", `{"type":"noop","name":"a\nb"}`, 400, "and text"},
		{"POST", "/proxies/db/toxics", `{"type":"x"}`, 400, "invalid toxic type"},
		{"POST", "/proxies/db/toxics", `{"type":"noop","stream":"x"}`, 400, "stream was invalid"},
		{"POST", "/proxies/db/toxics", `{"type":"latency","attributes":{"latency":1.5}}`, 400, "bad request body: attributes.latency 1.5"},
		{"POST", "/proxies/db/toxics", `{"type":"latency","attributes":{"latency":-5}}`, 400, "attributes.latency -5"},
		{"POST", "/proxies/db/toxics", `{"type":"latency"} x`, 400, "bad request body: something follows"},
		{"POST", "/populate", `[{"upstream":"a:1"}]`, 400, "missing required field: name at proxy 1"},
		{"POST", "/populate", `[{"name":"x"}]`, 400, "missing required field: upstream at proxy 1"},
		{"POST", "/populate", `[{"name":"x","upstream":"a:1"},{"name":"y","upstream":"a:1","listen":"` + taken + `"}]`, 500, "address already in use"},
	} {
		got := f.call(c.method, c.path, c.body, c.status)
		if e := parse[struct {
			Error  string
			Status int
		}](t, got); !strings.Contains(e.Error, c.says) || e.Status != c.status {
			t.Errorf("%s %s %s: %s, want status %d, %q", c.method, c.path, c.body, got, c.status, c.says)
		}
	}
	f.call("POST", "/proxies/db/toxics", `{"type":"noop"}`, 200)
	if got := f.call("POST", "/proxies/db/toxics", `{"type":"noop"}`, 409); !strings.Contains(got, "toxic already exists") {
		t.Error(got)
	}
	f.call("DELETE", "/proxies/db/toxics/noop_downstream", "", 204)
	if after := f.call("GET", "/proxies", "", 200); after != before {
		t.Errorf("refused requests have changed %s\nto %s", before, after)
	}
}

func TestPopulate(t *testing.T) {
	f := newFixture(t)
	p := f.proxy("db")
	same := `{"name":"db","listen":"` + p.Listen + `","upstream":"` + p.Upstream + `"`
	c := f.dial()
	c.mustAsk()
	f.call("POST", "/proxies/db/toxics", `{"type":"latency","attributes":{"latency":1}}`, 200)

	// The same addresses: the proxy, its toxics and its connections stay.
	got := parse[struct{ Proxies []toxicProxy }](t, f.call("POST", "/populate", "["+same+`,"toxics":null},{"name":"new","upstream":"a:1","enabled":false}]`, 201))
	if len(got.Proxies) != 2 || len(got.Proxies[0].Toxics) != 1 || got.Proxies[1].Enabled {
		t.Errorf("%+v", got)
	}
	c.mustAsk()

	// Toxics that are given are honoured, which Toxiproxy does not do.
	got = parse[struct{ Proxies []toxicProxy }](t, f.call("POST", "/populate", "["+same+`,"toxics":[{"type":"limit_data","attributes":{"bytes":3}}]}]`, 201))
	if len(got.Proxies) != 1 || len(got.Proxies[0].Toxics) != 1 || got.Proxies[0].Toxics[0].Type != "limit_data" {
		t.Errorf("%+v", got)
	}
	if text, err := c.ask("hello"); text != "hel" || err != io.EOF {
		t.Errorf("through limit_data of 3: %q, %v", text, err)
	}

	// Another upstream: the connections end, the address stays, toxics go.
	f.call("POST", "/populate", `[{"name":"db","listen":"`+p.Listen+`","upstream":"127.0.0.1:1"}]`, 201)
	if now := f.proxy("db"); now.Upstream != "127.0.0.1:1" || now.Listen != p.Listen || len(now.Toxics) != 0 {
		t.Errorf("%+v", now)
	}
}

func TestToxics(t *testing.T) {
	// toxic puts one on the proxy of a fresh fixture.
	toxic := func(t *testing.T, text string) *fixture {
		f := newFixture(t)
		f.call("POST", "/proxies/db/toxics", text, 200)
		return f
	}
	t.Run("latency", func(t *testing.T) {
		for _, stream := range []string{"upstream", "downstream"} {
			f := toxic(t, `{"type":"latency","stream":"`+stream+`","attributes":{"latency":30}}`)
			c := f.dial()
			start := time.Now()
			c.mustAsk()
			c.mustAsk()
			if took := time.Since(start); took < 60*time.Millisecond {
				t.Errorf("%s: two exchanges took %v, want at least 60 ms", stream, took)
			}
		}
	})
	t.Run("timeout", func(t *testing.T) {
		f := toxic(t, `{"type":"timeout","attributes":{"timeout":50}}`)
		c := f.dial()
		if text, err := c.ask("hello"); text != "" || err != io.EOF {
			t.Errorf("%q, %v, want the end and no reply", text, err)
		}
	})
	t.Run("timeout 0", func(t *testing.T) {
		f := toxic(t, `{"type":"timeout","attributes":{"timeout":0}}`)
		c := f.dial()
		if _, err := c.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		if how := c.ended(100 * time.Millisecond); how != "open" {
			t.Errorf("the connection has ended: %s", how)
		}
		f.call("DELETE", "/proxies/db/toxics/timeout_downstream", "", 204)
		if how := c.ended(10 * time.Second); how != "fin" {
			t.Errorf("removing the toxic ends its connections; this one: %s", how)
		}
		f.dial().mustAsk() // and only those
	})
	t.Run("timeout that never strikes", func(t *testing.T) {
		f := toxic(t, `{"type":"timeout","toxicity":0}`)
		c := f.dial()
		c.mustAsk()
		f.call("DELETE", "/proxies/db/toxics/timeout_downstream", "", 204)
		c.mustAsk()
	})
	t.Run("reset_peer", func(t *testing.T) {
		f := newFixture(t)
		c := f.dial()
		c.mustAsk() // it resets connections that there are, too
		f.call("POST", "/proxies/db/toxics", `{"type":"reset_peer","attributes":{"timeout":20}}`, 200)
		_, _ = c.Write([]byte("hello\n"))
		if how := c.ended(10 * time.Second); how != "rst" {
			t.Errorf("ended: %s, want an RST", how)
		}
	})
	t.Run("limit_data, to the byte", func(t *testing.T) {
		f := toxic(t, `{"type":"limit_data","attributes":{"bytes":6}}`)
		c := f.dial()
		c.mustAsk() // six bytes with the line's end
		if how := c.ended(10 * time.Second); how != "fin" {
			t.Errorf("ended: %s, want a FIN right after the last byte", how)
		}
	})
	t.Run("bandwidth 0", func(t *testing.T) {
		f := toxic(t, `{"type":"bandwidth","attributes":{"rate":0}}`)
		c := f.dial()
		if _, err := c.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		if how := c.ended(100 * time.Millisecond); how != "open" {
			t.Fatalf("ended: %s", how)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		f.call("DELETE", "/proxies/db/toxics/bandwidth_downstream", "", 204)
		if text, err := c.in.ReadString('\n'); text != "hello\n" || err != nil {
			t.Errorf("what was held comes late: %q, %v", text, err)
		}
	})
	t.Run("slow_close", func(t *testing.T) {
		f := toxic(t, `{"type":"slow_close","attributes":{"delay":60}}`)
		c := f.dial()
		c.mustAsk()
		start := time.Now()
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if how := c.ended(10 * time.Second); how != "fin" || time.Since(start) < 60*time.Millisecond {
			t.Errorf("ended after %v: %s, want a FIN after 60 ms", time.Since(start), how)
		}
	})
	t.Run("slicer", func(t *testing.T) {
		f := toxic(t, `{"type":"slicer","attributes":{"average_size":1,"delay":5000}}`)
		start := time.Now()
		f.dial().mustAsk()
		if took := time.Since(start); took < 30*time.Millisecond {
			t.Errorf("six slices took %v, want at least 30 ms", took)
		}
	})
}

// TestToxicityIsSticky has the same connections struck whatever else changes.
func TestToxicityIsSticky(t *testing.T) {
	f := newFixture(t)
	f.call("POST", "/proxies/db/toxics", `{"name":"cut","type":"timeout","toxicity":0.5}`, 200)
	starved := func(c *client) bool {
		if _, err := c.Write([]byte("x\n")); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
		_, err := c.in.ReadString('\n')
		return err != nil
	}
	var all []*client
	var first []bool
	for range 12 {
		c := f.dial()
		all = append(all, c)
		first = append(first, starved(c))
	}
	f.call("POST", "/proxies/db/toxics", `{"type":"noop"}`, 200)
	f.call("PATCH", "/proxies/db/toxics/cut", `{"attributes":{"timeout":0}}`, 200)
	n := 0
	for i, c := range all {
		if first[i] {
			n++
		}
		if got := starved(c); got != first[i] {
			t.Errorf("connection %d: struck %v, later %v", i+1, first[i], got)
		}
	}
	if n == 0 || n == len(all) {
		t.Errorf("toxicity 0.5 struck %d of %d", n, len(all))
	}
}

func TestMetrics(t *testing.T) {
	f := newFixture(t)
	c := f.dial()
	c.mustAsk()
	p := f.proxy("db")
	want := `toxiproxy_proxy_received_bytes_total{direction="upstream",listener="` + p.Listen + `",proxy="db",upstream="` + p.Upstream + `"} 6`
	// As in TestTotals, the reply can be here before the request is counted.
	if !wait.Until(10*time.Second, func() bool { return strings.Contains(f.call("GET", "/metrics", "", 200), want+"\n") }) {
		t.Fatalf("%s\nlacks %s", f.call("GET", "/metrics", "", 200), want)
	}
	_ = c.Close()
	for range 50 { // the count stays when the connection goes
		if got := f.call("GET", "/metrics", "", 200); !strings.Contains(got, want+"\n") {
			t.Fatalf("%s\nlacks %s", got, want)
		}
	}
}
