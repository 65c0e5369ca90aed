package syncproto_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func TestRoutes(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	for _, c := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"GET", "/", 404, ""},
		{"GET", "/collections", 404, ""},
		{"GET", "/collections/", 404, ""},
		{"GET", "/collections/a", 404, ""},
		{"GET", "/collections/a/", 404, ""},
		{"GET", "/collections//apps", 404, ""},
		{"GET", "/collections/a/b/c", 404, ""},
		{"GET", "/collections/a/b/", 404, ""},
		{"GET", "/collections/a%00/b", 404, ""},
		{"GET", "/collections/a%ff/b", 404, ""},
		{"GET", "/collections/" + strings.Repeat("a", syncproto.MaxUser+1) + "/b", 404, ""},
		{"GET", "/collections/" + strings.Repeat("a", syncproto.MaxUser) + "/b", 401, ""},
		{"GET", "/collections/a%2Fb/c%2Fd", 401, ""},
		{"GET", "/verify", 405, "POST"},
		{"PUT", annURL, 405, "GET, POST"},
		{"DELETE", annURL, 405, "GET, POST"},
		{"PATCH", annURL, 405, "GET, POST"},
		{"HEAD", annURL, 405, "GET, POST"},
		{"OPTIONS", annURL, 405, "GET, POST"},
		{"GE", annURL, 405, "GET, POST"},
		{"POST", "/__heartbeat__", 405, "GET, HEAD"},
		{"HEAD", "/__heartbeat__", 200, ""},
		{"GET", "/__ready__", 200, ""},
		{"GET", "/info/configuration", 200, ""},
		{"GET", "/getmanifest?url=http://127.0.0.1/", 404, ""},
	} {
		a := s.do(c.method, c.target, "")
		if a.Code != c.status || a.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q; want %d, %q", c.method, c.target, a.Code, a.Header().Get("Allow"), c.status, c.allow)
		}
	}
}

func TestSlashesStayInTheirSegment(t *testing.T) {
	s := newSite(t, syncproto.Config{Verifier: verifierFunc(func(a, _ string) (syncproto.Identity, error) {
		return syncproto.Identity{Email: a}, nil
	}), Audiences: []string{"*"}})
	v := s.verify("a/b@x", "").want(200).object()
	s.do("GET", "/collections/a%2Fb@x/c%2Fd", "", "Authorization", v["http_authorization"].(string)).want(200)
	if url := v["collection_url"].(string); !strings.HasSuffix(url, "/collections/a%2Fb%40x/apps") {
		t.Errorf("collection_url %s", url)
	}
	if e := s.events[1]; e.User != "a/b@x" || e.Collection != "c/d" {
		t.Errorf("event %+v", e)
	}
}

func TestConfiguration(t *testing.T) {
	s := newSite(t, syncproto.Config{Limits: syncproto.Limits{Apps: 7}, Quota: syncproto.Quota{Bytes: 9}})
	v := s.do("GET", "/info/configuration", "").want(200).object()
	for k, want := range map[string]float64{"max_push_apps": 7, "max_body_bytes": 4 << 20, "quota_bytes": 9, "max_origin_bytes": 1024, "idempotency_seconds": 86400} {
		if v[k] != want {
			t.Errorf("%s is %v, want %v", k, v[k], want)
		}
	}
}

func TestUsage(t *testing.T) {
	s := newSite(t, syncproto.Config{Quota: syncproto.Quota{Bytes: 1000}})
	d := s.device("ann@example.com")
	until := d.push(`[{"origin":"a"}]`)
	s.do("GET", "/info/usage/ann@example.com", "").want(401)
	s.do("GET", "/info/usage/bob@example.com", "", "Authorization", d.auth).want(401)
	s.do("GET", "/info/usage/", "", "Authorization", d.auth).want(404)
	want := fmt.Sprintf(`{"collections":{"apps":{"apps":1,"bytes":14,"until":%v}},"bytes":14,"quota_bytes":1000}`, until)
	if got := s.do("GET", "/info/usage/ann%40example.com", "", "Authorization", d.auth).want(200).Body.String(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	plain := newSite(t, syncproto.Config{Store: &brokenStore{Store: new(syncproto.Memory)}})
	plain.do("GET", "/info/usage/ann@example.com", "", "Authorization", plain.device("ann@example.com").auth).want(404)
}

func TestCORS(t *testing.T) {
	const origin = "https://apps.example.com"
	get := func(origins ...string) answer {
		return newSite(t, syncproto.Config{Origins: origins}).do("GET", "/__heartbeat__", "", "Origin", origin)
	}
	if h := get().Header(); h.Get("Access-Control-Allow-Origin") != "" || h.Get("Vary") != "" {
		t.Errorf("without Origins: %v", h)
	}
	if h := get("https://other.example.com").Header(); h.Get("Access-Control-Allow-Origin") != "" || h.Get("Vary") != "Origin" {
		t.Errorf("another origin: %v", h)
	}
	if h := get("https://other.example.com", origin).Header(); h.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("a listed origin: %v", h)
	}
	h := get("*").Header()
	if h.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("any origin: %v", h)
	}
	for _, name := range []string{"Retry-After", "X-Sync-Poll", "X-Sync-Poll-Time"} {
		if !strings.Contains(h.Get("Access-Control-Expose-Headers"), name) {
			t.Errorf("scripts cannot read %s: %v", name, h)
		}
	}

	s := newSite(t, syncproto.Config{Origins: []string{"*"}})
	a := s.do("OPTIONS", annURL, "", "Origin", origin, "Access-Control-Request-Method", "POST").want(http.StatusNoContent)
	if h := a.Header(); h.Get("Access-Control-Allow-Methods") != "GET, POST" || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Authorization") || !strings.Contains(h.Get("Access-Control-Allow-Headers"), "Last-Event-ID") {
		t.Errorf("preflight: %v", h)
	}
}

func TestConfigErrors(t *testing.T) {
	ok := func() syncproto.Config {
		return syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true}
	}
	if _, err := syncproto.New(ok()); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*syncproto.Config){
		"Store":         func(c *syncproto.Config) { c.Store = nil },
		"Verifier":      func(c *syncproto.Config) { c.Verifier = nil },
		"Audiences":     func(c *syncproto.Config) { c.Development = false },
		"BaseURL":       func(c *syncproto.Config) { c.BaseURL = "https://example.com/" },
		"Origins":       func(c *syncproto.Config) { c.Origins = []string{"example.com"} },
		"Limits":        func(c *syncproto.Config) { c.Limits.Apps = -1 },
		"Limits.Origin": func(c *syncproto.Config) { c.Limits.Origin = syncproto.MaxOrigin + 1 },
		"Watch":         func(c *syncproto.Config) { c.Watch.Max = -1 },
		"Quota":         func(c *syncproto.Config) { c.Quota.Bytes = -1 },
		"Keys":          func(c *syncproto.Config) { c.Sessions = &syncproto.SignedSessions{} },
	} {
		c := ok()
		change(&c)
		if _, err := syncproto.New(c); err == nil || !strings.Contains(fmt.Sprint(err), field) {
			t.Errorf("bad %s: %v, want an error that names it", field, err)
		}
	}
}
