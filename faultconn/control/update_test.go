package control

import (
	"testing"
	"time"
)

// TestWhatStaysGoesOn has toxics, rules and behaviors go on while others come
// and go.
func TestWhatStaysGoesOn(t *testing.T) {
	latency := `{"type":"latency","attributes":{"latency":1}}`
	t.Run("limit_data counts on", func(t *testing.T) {
		f := newFixture(t)
		f.call("POST", "/proxies/db/toxics", `{"type":"limit_data","attributes":{"bytes":12}}`, 200)
		c := f.dial()
		c.mustAsk() // six bytes
		f.call("POST", "/proxies/db/toxics", latency, 200)
		c.mustAsk()
		if how := c.ended(10 * time.Second); how != "fin" {
			t.Errorf("ended: %s, want a FIN after 12 bytes in all", how)
		}
	})
	t.Run("bandwidth 0 holds on", func(t *testing.T) {
		f := newFixture(t)
		f.call("POST", "/proxies/db/toxics", `{"type":"bandwidth","attributes":{"rate":0}}`, 200)
		c := f.dial()
		if _, err := c.Write([]byte("hello\n")); err != nil {
			t.Fatal(err)
		}
		f.call("POST", "/proxies/db/toxics", latency, 200)
		f.call("DELETE", "/proxies/db/toxics/latency_downstream", "", 204)
		_ = c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if text, err := c.in.ReadString('\n'); err == nil {
			t.Errorf("got %q, which another toxic has let go", text)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		f.call("DELETE", "/proxies/db/toxics/bandwidth_downstream", "", 204)
		if text, err := c.in.ReadString('\n'); text != "hello\n" {
			t.Errorf("what was held comes late: %q, %v", text, err)
		}
	})
	hits := func(f *fixture, want int) {
		f.Helper()
		rules := parse[struct{ Rules []ruleHits }](f.T, f.call("GET", "/v1/proxies/db/rules", "", 200)).Rules
		if len(rules) == 0 || rules[0].Hits != want {
			f.Errorf("rules in force: %+v, want %d hits of the first", rules, want)
		}
	}
	t.Run("rules of a plan count on", func(t *testing.T) {
		f := newFixture(t)
		slow := `{"name":"slow","fault":{"kind":"delay","for":"1ms"}}`
		f.call("PUT", "/v1/proxies/db/plan", `{"rules":[`+slow+`]}`, 200)
		c := f.dial()
		c.mustAsk()
		f.call("PUT", "/v1/proxies/db/plan", `{"rules":[`+slow+`,{"name":"never","select":{"conns":[99]},"fault":{"kind":"hang"}}]}`, 200)
		c.mustAsk()
		hits(f, 2)
		f.call("PATCH", "/v1/proxies/db", `{"enabled":false}`, 200)
		f.call("PATCH", "/v1/proxies/db", `{"enabled":true}`, 200)
		f.dial().mustAsk()
		hits(f, 3)
		f.call("DELETE", "/v1/proxies/db/plan", "", 200)
		f.call("PUT", "/v1/proxies/db/plan", `{"rules":[`+slow+`]}`, 200)
		hits(f, 0)
	})
	t.Run("messages are counted on", func(t *testing.T) {
		f := newFixture(t)
		third := `{"name":"third","fault":{"kind":"on","protocol":"lines","messages":{"requests":true,"number":3},"fault":{"kind":"close"}}}`
		f.call("PUT", "/v1/proxies/db/plan", `{"rules":[`+third+`]}`, 200)
		c := f.dial()
		c.mustAsk()
		f.call("POST", "/proxies/db/toxics", latency, 200)
		c.mustAsk()
		if text, err := c.ask("hello"); err == nil {
			t.Errorf("the third request of the connection got %q, want the end", text)
		}
	})
	t.Run("a behavior goes on, and begins when it is set", func(t *testing.T) {
		f := newFixture(t)
		c := f.dial()
		for range 2 {
			f.call("PUT", "/behavior", `{"name":"transient","agitate":1,"inject":true}`, 200)
			if text, err := c.ask("hello"); err == nil && text == "hello" {
				t.Error("the behavior does not begin when it is set")
			}
			c = f.dial()
			f.call("POST", "/proxies/db/toxics", latency, 200)
			c.mustAsk()
			f.call("DELETE", "/proxies/db/toxics/latency_downstream", "", 204)
			c.mustAsk()
		}
	})
}
