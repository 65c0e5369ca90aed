package control

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/internal/wait"
)

const planPath = "/v1/proxies/db/plan"

func TestPlanRevisions(t *testing.T) {
	f := newFixture(t)
	f.call("PUT", planPath, `{"rules":[{"name":"a","fault":{"kind":"hang"}}]}`, 200)
	f.call("PUT", planPath, `{"rules":[{"name":"b","fault":{"kind":"hang"}}]}`, 200, "If-Match", `"2"`)
	got := f.call("PUT", planPath, `{}`, 412, "If-Match", `"2"`)
	if !strings.Contains(got, `revision is now \"3\"`) {
		t.Error(got)
	}
	if got := f.call("GET", planPath, "", 200); got != `{"revision":3,"plan":{"rules":[{"name":"b","fault":{"kind":"hang"}}]}}` {
		t.Error(got)
	}
	f.call("DELETE", planPath, "", 412, "If-Match", `"1"`)
	f.call("DELETE", planPath, "", 200, "If-Match", `"1", "3"`)
	f.dial().mustAsk()
}

// TestPlanOnOpenConnections changes what a connection is blocked in.
func TestPlanOnOpenConnections(t *testing.T) {
	f := newFixture(t)
	c := f.dial()
	c.mustAsk()
	f.call("PUT", planPath, `{"rules":[{"name":"stuck","fault":{"kind":"hang"}}]}`, 200)
	if _, err := c.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	for f.entries()[0].inj.Hits("stuck") == 0 { // until the reply hangs
		if how := c.ended(time.Millisecond); how != "open" {
			t.Fatal(how)
		}
	}
	got := f.call("GET", "/v1/proxies/db/rules", "", 200)
	if got != `{"rules":[{"name":"stuck","kind":"hang","hits":1,"rule":{"name":"stuck","fault":{"kind":"hang"}}}]}` {
		t.Error(got)
	}
	f.call("DELETE", planPath, "", 200)
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if text, err := c.in.ReadString('\n'); text != "hello\n" || err != nil {
		t.Errorf("after the plan: %q, %v", text, err)
	}
}

// TestToxicsAndPlan puts both in force, and neither takes the other off.
func TestToxicsAndPlan(t *testing.T) {
	f := newFixture(t)
	f.call("POST", "/proxies/db/toxics", `{"type":"limit_data","attributes":{"bytes":2}}`, 200)
	f.call("PUT", planPath, `{"rules":[{"name":"slow","fault":{"kind":"delay","for":"1ms"}}]}`, 200)
	if text, _ := f.dial().ask("hello"); text != "he" {
		t.Errorf("through limit_data of 2: %q", text)
	}
	rules := parse[struct{ Rules []ruleHits }](t, f.call("GET", "/v1/proxies/db/rules", "", 200)).Rules
	if len(rules) != 2 || rules[0].Hits == 0 || rules[1].Hits == 0 || rules[1].Name != "toxic limit_data_downstream" {
		t.Errorf("%+v", rules)
	}
	// A plan cannot take the name of a toxic's rule.
	f.call("PUT", planPath, `{"rules":[{"name":"toxic limit_data_downstream","fault":{"kind":"hang"}}]}`, 400)
	f.call("POST", "/reset", "", 204)
	if got := f.call("GET", planPath, "", 200); !strings.Contains(got, "slow") {
		t.Errorf("the plan is not Toxiproxy's to reset: %s", got)
	}
}

func TestConnectionCommands(t *testing.T) {
	f := newFixture(t)
	c := f.dial()
	c.mustAsk()
	var list []connection
	counted := func() bool { // as in TestTotals
		list = parse[struct{ Connections []connection }](t, f.call("GET", "/v1/proxies/db/connections", "", 200)).Connections
		return len(list) == 1 && list[0].Up == 6
	}
	if !wait.Until(10*time.Second, counted) || list[0].Client != c.LocalAddr().String() {
		t.Fatalf("%+v", list)
	}
	path := fmt.Sprintf("/v1/proxies/db/connections/%d/", list[0].ID)
	f.call("POST", path+"hold?direction=down", "", 200)
	if _, err := c.Write([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	if how := c.ended(50 * time.Millisecond); how != "open" {
		t.Fatal(how)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	f.call("POST", path+"step?direction=down", "", 200)
	if text, err := c.in.ReadString('\n'); text != "hello\n" {
		t.Fatalf("after step: %q, %v", text, err)
	}
	if got := f.call("POST", path+"release", "", 200); strings.Contains(got, `"heldDown":true`) {
		t.Error(got)
	}
	c.mustAsk()
	f.call("POST", path+"jump", "", 404)
	f.call("POST", path+"hold?direction=left", "", 400)
	f.call("POST", "/v1/proxies/db/connections/99/reset", "", 404)
	f.call("POST", "/v1/proxies/db/connections/x/reset", "", 400)
	f.call("POST", path+"reset", "", 200)
	if how := c.ended(10 * time.Second); how != "rst" {
		t.Errorf("an idle connection was reset by command: %s", how)
	}
}

func TestConnectionShowsFaults(t *testing.T) {
	f := newFixture(t)
	f.call("PUT", "/v1/proxies/db/plan", `{"rules":[{"select":{"conns":[2]},"fault":{"kind":"delay","for":"1ms"}}]}`, 200)
	f.dial().mustAsk()
	c := f.dial()
	for range 3 {
		c.mustAsk()
	}
	list := parse[struct{ Connections []connection }](t, f.call("GET", "/v1/proxies/db/connections", "", 200)).Connections
	if len(list) != 2 || list[0].Faults != 0 || list[1].Faults != 3 {
		t.Errorf("%+v", list)
	}
}

// TestRuleForOneClient strikes those who come from one address.
func TestRuleForOneClient(t *testing.T) {
	f := newFixture(t)
	f.call("PUT", planPath, `{"rules":[{"name":"one","select":{"peer":"127.0.0.2/32"},"fault":{"kind":"reset"}}]}`, 200)
	f.dial().mustAsk()
	c, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}).Dial("tcp", f.proxy("db").Listen)
	if err != nil {
		t.Skip(err) // a system with one loopback address
	}
	defer c.Close()
	if got, err := (&client{t, c, bufio.NewReader(c)}).ask("hello"); err == nil {
		t.Errorf("the chosen client gets %q", got)
	}
	f.dial().mustAsk()
}

func TestEvents(t *testing.T) {
	f := newFixture(t)
	resp, err := http.Get(f.url + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewReader(resp.Body)
	next := func(kind string) string { // the data of the next event of the kind
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if line == "event: "+kind+"\n" {
				data, _ := in.ReadString('\n')
				return strings.TrimPrefix(data, "data: ")
			}
		}
	}
	f.call("PUT", planPath, `{"rules":[{"name":"slow","fault":{"kind":"delay","for":"1ms"}}]}`, 200)
	if got := next("plan"); got != `{"proxy":"db","revision":2}`+"\n" {
		t.Error(got)
	}
	c := f.dial()
	c.mustAsk()
	if got := next("connection"); !strings.Contains(got, `"kind":"opened"`) || !strings.Contains(got, `"proxy":"db"`) {
		t.Error(got)
	}
	ev := parse[faultconn.Event](t, next("fault"))
	if ev.Rule != "slow" || ev.Delay != time.Millisecond || ev.Point != "db" {
		t.Errorf("%+v", ev)
	}
	_ = c.Close()
	if got := next("connection"); !strings.Contains(got, `"kind":"closed"`) {
		t.Error(got)
	}
}

// TestSlowReader has nobody read the events: they are counted, not waited for.
func TestSlowReader(t *testing.T) {
	var h hub
	sub := h.join()
	for i := range backlog + 10 {
		h.send("fault", i)
	}
	for range backlog {
		if m := <-sub.events; m.lost != 0 {
			t.Fatalf("%+v", m)
		}
	}
	h.send("fault", "after")
	if m := <-sub.events; m.lost != 10 || m.data != "after" {
		t.Errorf("%+v, want 10 lost before it", m)
	}
	h.leave(sub)
	h.send("fault", "nobody listens")
	for range audience {
		if h.join() == nil {
			t.Fatalf("fewer than %d may listen", audience)
		}
	}
	if h.join() != nil {
		t.Errorf("more than %d may listen", audience)
	}
}

func TestScenario(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{}
		defer s.Close()
		for _, name := range []string{"db", "cache"} {
			if err := s.Add(Proxy{Name: name, Upstream: "x:1", Disabled: true}); err != nil {
				t.Fatal(err)
			}
		}
		sc := scenario{Repeat: "90s"}
		text := `{"steps":[
			{"at":"0s","plans":{"db":{"rules":[{"name":"slow","fault":{"kind":"delay","for":"2s"}}]}}},
			{"at":"30s","plans":{"db":{},"cache":{"rules":[{"name":"dark","fault":{"kind":"blackout"}}]}}},
			{"at":"60s","plans":{"cache":{}}}],"repeat":"90s"}`
		if err := decode(strings.NewReader(text), &sc); err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("PUT", "/v1/scenario", strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		s.changes.Lock()
		_, err = s.putScenario(req)
		s.changes.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		inForce := func() string {
			synctest.Wait()
			var names []string
			for _, p := range s.Proxies() {
				for _, r := range p.Plan.Rules {
					names = append(names, p.Name+" "+r.Name)
				}
			}
			return strings.Join(names, ", ")
		}
		for _, want := range []string{"db slow", "cache dark", "", "db slow", "cache dark", ""} {
			if got := inForce(); got != want {
				t.Errorf("in force %q, want %q", got, want)
			}
			time.Sleep(30 * time.Second)
		}
		synctest.Wait() // until the third round has begun
		s.changes.Lock()
		s.halt()
		s.changes.Unlock()
		time.Sleep(90 * time.Second)
		if got := inForce(); got != "db slow" {
			t.Errorf("stopped in its third round, and now in force is %q", got)
		}
	})
}

func TestScenarioErrors(t *testing.T) {
	f := newFixture(t)
	for body, says := range map[string]string{
		`{}`:                                  "steps: missing",
		`{"steps":[{"at":"soon"}]}`:           "steps[0].at",
		`{"steps":[{"at":"2s"},{"at":"1s"}]}`: "steps[1].at",
		`{"steps":[{"at":"1s","plans":{"x":{}}}]}`:              "proxy not found",
		`{"steps":[{"at":"1s","plans":{"db":{"rules":[{}]}}}]}`: "fault: missing",
		`{"steps":[{"at":"1s"}],"repeat":"0s"}`:                 "repeat",
		`{"steps":[{"at":"1s","plan":{}}]}`:                     "unknown field",
	} {
		if got := f.call("PUT", "/v1/scenario", body, 400); !strings.Contains(got, says) {
			t.Errorf("%s: %s, want %q", body, got, says)
		}
	}
	if got := f.call("GET", "/v1/scenario", "", 200); got != `{"running":false}` {
		t.Error(got)
	}
	f.call("PUT", "/v1/scenario", `{"steps":[{"at":"1h","plans":{"db":{}}}]}`, 200)
	if got := f.call("GET", "/v1/scenario", "", 200); !strings.Contains(got, `"running":true`) {
		t.Error(got)
	}
	f.call("DELETE", "/v1/scenario", "", 200)
	if got := f.call("GET", "/v1/scenario", "", 200); !strings.Contains(got, `"running":false`) {
		t.Error(got)
	}
}

func TestProxies(t *testing.T) {
	f := newFixture(t)
	up := f.proxy("db").Upstream
	got := f.call("POST", "/v1/proxies", `{"name":"cache","listen":"localhost:0","upstream":"`+up+`",
		"plan":{"rules":[{"name":"dark","fault":{"kind":"blackout"}}]},"toxics":[{"type":"noop"}],"behavior":"10:delay"}`, 201)
	p := parse[nativeProxy](t, got)
	if !p.Enabled || p.Revision != 1 || len(p.Toxics) != 1 || p.Behavior != "10:delay" || !strings.Contains(got, `"dark"`) {
		t.Error(got)
	}
	f.call("PATCH", "/v1/proxies/cache", `{"enabled":false}`, 200)
	if c, err := net.Dial("tcp", p.Listen); err == nil {
		_ = c.Close()
		t.Error("a disabled proxy accepts connections")
	}
	for body, says := range map[string]string{
		`{"name":"x","upstream":"a:1","colour":1}`:              "unknown field",
		`{"name":"x","upstream":"a:1","plan":{"rules":[{}]}}`:   "fault: missing",
		`{"name":"x","upstream":"a:1","behavior":"120:delay"}`:  "percentages",
		`{"name":"x","upstream":"a:1","toxics":[{"type":"x"}]}`: "invalid toxic type",
		`{"name":"a\u0000b","upstream":"a:1"}`:                  "name",
		`{"name":"x","upstream":"a"}`:                           "host:port",
		`{"name":"x","upstream":"a:1"}{}`:                       "something follows",
	} {
		if got := f.call("POST", "/v1/proxies", body, 400); !strings.Contains(got, says) {
			t.Errorf("%s: %s, want %q", body, got, says)
		}
	}
	f.call("DELETE", "/v1/proxies/cache", "", 204)
	f.call("DELETE", "/v1/proxies/cache", "", 404)
}

func TestGo(t *testing.T) {
	f := newFixture(t)
	err := f.SetPlan("db", faultconn.Plan{Rules: []faultconn.Rule{{Fault: fault.Close{}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.dial().ask("hello"); err == nil {
		t.Error("a plan set from Go is not in force")
	}
	if err := f.SetPlan("x", faultconn.Plan{}); err == nil || err.Error() != "control: proxy not found" {
		t.Error(err)
	}
	if err := f.Remove("db"); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := f.Add(Proxy{Name: "x", Upstream: "a:1"}); err == nil {
		t.Error("Add after Close has no error")
	}
}

// TestDocumentedPlans sets what TOXIPROXY.md shows.
func TestDocumentedPlans(t *testing.T) {
	f := newFixture(t)
	for _, rule := range []string{
		`{"fault":{"kind":"bandwidth","rate":65536,"shared":true}}`,
		`{"when":{"age":"30s"},"fault":{"kind":"close"}}`,
		`{"scope":"operation","fault":{"kind":"delay","for":"1s"}}`,
		`{"fault":{"kind":"loss"},"scope":"byte","chance":0.00001}`,
		`{"select":{"ops":["dial"]},"fault":{"kind":"hang"}}`,
		`{"fault":{"kind":"black-hole"}}`,
		`{"select":{"peer":"10.0.0.0/8","conns":[1,2],"ops":["read","write"]},"fault":{"kind":"delay","for":"1s","jitter":"1s","shape":"lognormal"}}`,
		`{"fault":{"kind":"on","protocol":"http","at":"body","fault":{"kind":"reset"}}}`,
	} {
		f.call("PUT", planPath, `{"rules":[`+rule+`]}`, 200)
	}
}

// TestShutdown has a connection that stays, whose faults can still be changed,
// while nothing listens anew.
func TestShutdown(t *testing.T) {
	f := newFixture(t)
	c := f.dial()
	c.mustAsk()
	ctx, cancel := context.WithCancel(t.Context())
	down := make(chan error, 1)
	go func() { down <- f.Shutdown(ctx) }()
	for { // until it has stopped listening
		other, err := net.Dial("tcp", f.proxy("db").Listen)
		if err != nil {
			break
		}
		_ = other.Close()
	}
	f.call("POST", "/v1/proxies", `{"name":"late","upstream":"x:1"}`, 503)
	f.call("PUT", "/v1/scenario", `{"steps":[{"at":"0s","plans":{"db":{}}}]}`, 503)
	f.call("PATCH", "/v1/proxies/db", `{"listen":"127.0.0.1:0"}`, 503)
	c.mustAsk()
	f.call("PUT", planPath, `{"rules":[{"fault":{"kind":"reset"}}]}`, 200)
	if got, err := c.ask("hello"); err == nil {
		t.Errorf("a plan for the rest of the connections lets %q pass", got)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	cancel()
}
