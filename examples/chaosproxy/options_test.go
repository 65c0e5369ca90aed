package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBadFlags(t *testing.T) {
	for args, says := range map[string]string{
		"-listen :1":          "-listen and -upstream go together",
		"-fault 5:reset":      "-fault, -plan and -behavior are for the proxy",
		"-behavior blackout":  "-fault, -plan and -behavior are for the proxy",
		"-protocol http":      "is that of -behavior",
		"-control :8474":      "give a -token too",
		"-control 8474":       "must be host:port",
		"-statsd x":           "must be host:port",
		"-statsd-vaurien tcp": "needs -statsd",
		"-drain -1s":          "must not be negative",
		"x":                   "unexpected argument",
		"-listen :1 -upstream :2 -fault a:b -plan x.y": "give one of them",
	} {
		if _, err := parseFlags(strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", args, err, says)
		}
	}
	if _, err := parseFlags([]string{"-control", ":8474", "-token", "x"}, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestParseFaults(t *testing.T) {
	p, err := parseFaults("20:delay=2s, 5:reset,1.5:bandwidth=65536,1:fail=refused", 7)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"seed":7,"rules":[{"name":"-fault","mix":[{"percent":20,"fault":{"kind":"delay","for":"2s"}},{"percent":5,"fault":{"kind":"reset"}},` +
		`{"percent":1.5,"fault":{"kind":"bandwidth","rate":65536}},{"percent":1,"fault":{"kind":"fail","with":"refused"}}]}]}`
	if p.String() != want {
		t.Errorf("%v\nwant %s", p, want)
	}
	if p, err := parseFaults("", 7); err != nil || len(p.Rules) > 0 {
		t.Errorf("%v, %v", p, err)
	}
	for text, says := range map[string]string{
		"delay=2s":         "must be percent:fault",
		"x:delay=2s":       "must be percent:fault",
		"20:nap":           "must be one of",
		"5:reset,20:delay": "says not for how long: 20:delay=2s",
		"20:delay=long":    "must be a duration",
		"20:reset=2s":      "takes no value",
		"20:bandwidth=x":   "rate: must be a number",
		"20:bandwidth=-1":  "must be positive",
		"80:reset,30:hang": "must not exceed 100",
		"20:slice=1}]":     "must be a number",
	} {
		if _, err := parseFaults(text, 0); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

// TestBehavior says no in the words of the protocol, as vaurien's command line
// has it.
func TestBehavior(t *testing.T) {
	up := httptest.NewServer(http.NotFoundHandler())
	defer up.Close()
	p := start(t, 1, "-listen", "127.0.0.1:0", "-upstream", up.Listener.Addr().String(), "-behavior", "100:error", "-protocol", "http")
	resp, err := http.Get("http://" + p.listen["proxy"])
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s, want 503", resp.Status)
	}
}

// TestCatalogues has faults of both catalogues, one inside another too, in a
// configuration and in a plan file.
func TestCatalogues(t *testing.T) {
	const rules = `
      - {name: slow, chance: 0.2, fault: {kind: delay, for: 2s}}
      - {name: full, fault: {kind: reply, protocol: mysql, error: too-many-connections, messages: {chance: 0.1}}}
      - {name: cut, fault: {kind: on, protocol: mysql, at: body, messages: {commands: [COM_QUERY], requests: true}, fault: {kind: reset}}}
`
	const want = `{"rules":[{"name":"slow","chance":0.2,"fault":{"kind":"delay","for":"2s"}},` +
		`{"name":"full","fault":{"kind":"reply","protocol":"mysql","messages":{"chance":0.1},"error":"too-many-connections"}},` +
		`{"name":"cut","fault":{"kind":"on","protocol":"mysql","messages":{"requests":true,"commands":["COM_QUERY"]},"at":"body","fault":{"kind":"reset"}}}]}`
	config := write(t, "c.yaml", "proxies:\n  - name: db\n    upstream: db:3306\n    plan:\n     rules:"+rules)
	plan := write(t, "p.yaml", "rules:"+rules)
	for _, args := range [][]string{{"-config", config}, {"-plan", plan, "-listen", ":0", "-upstream", "db:3306"}} {
		o, err := parseFlags(args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		proxies, _, err := o.proxies(nil)
		if err != nil || len(proxies) != 1 || proxies[0].Plan.String() != want {
			t.Errorf("%s: %v, %v\nwant %s", args[0], proxies, err, want)
		}
	}
	for kind, says := range map[string]string{"nap": "mtu, on, reply", "reply, protocol: gopher": `protocol "gopher"`} {
		o := options{listen: ":0", upstream: "db:3306", plan: write(t, "b.yaml", "rules:\n  - {fault: {kind: "+kind+"}}\n")}
		if _, _, err := o.proxies(nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// FuzzParseFaults reads any -fault. What is read is a plan that can be set.
func FuzzParseFaults(f *testing.F) {
	f.Add("20:delay=2s,5:reset")
	f.Add("1e1:fail=refused")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := parseFaults(text, 1); err == nil {
			if err := p.Validate(); err != nil {
				t.Error(err)
			}
		}
	})
}
