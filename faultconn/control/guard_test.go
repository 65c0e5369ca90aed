package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	f := newFixture(t)
	before := f.call("GET", "/v1/proxies", "", 200)
	large := `{"name":"` + strings.Repeat("x", maxBody) + `"}`
	for _, c := range []struct {
		why, method, path, body string
		status                  int
		headers                 []string
	}{
		{"another origin", "POST", "/reset", "", 403, []string{"Origin", "https://evil.example"}},
		{"an origin that is kept secret", "POST", "/proxies", `{"name":"x","upstream":"a:1"}`, 403, []string{"Origin", "null", "Content-Type", "text/plain"}},
		{"another port", "POST", "/populate", "[]", 403, []string{"Origin", "http://127.0.0.1:1", "Content-Type", "application/x-www-form-urlencoded"}},
		{"another site", "DELETE", "/v1/proxies/db", "", 403, []string{"Sec-Fetch-Site", "cross-site"}},
		{"another site", "PUT", "/behavior", `{"name":"blackout"}`, 403, []string{"Sec-Fetch-Site", "same-site"}},
		{"a browser", "GET", "/proxies", "", 403, []string{"User-Agent", "Mozilla/5.0"}},
		{"a browser", "POST", "/populate", "[]", 403, []string{"User-Agent", "Mozilla/5.0"}},
		{"a large body", "POST", "/proxies", large, 413, nil},
		{"a large body", "PUT", planPath, large, 413, nil},
		{"a large body", "POST", "/populate", large, 413, nil},
		{"no such route", "GET", "/proxies/db/x", "", 404, nil},
		{"no such method", "PUT", "/proxies/db", "", 405, nil},
	} {
		got := f.call(c.method, c.path, c.body, c.status, c.headers...)
		if got == "" {
			t.Errorf("%s: refused without a word", c.why)
		}
	}
	if after := f.call("GET", "/v1/proxies", "", 200); after != before {
		t.Errorf("refused requests have changed %s\nto %s", before, after)
	}
	// A browser may use the native API from a page of its own origin.
	f.call("DELETE", planPath, "", 200, "User-Agent", "Mozilla/5.0", "Sec-Fetch-Site", "same-origin")
}

// TestRebinding calls a loopback address by the name of somebody else's site.
func TestRebinding(t *testing.T) {
	f := newFixture(t)
	f.Server.Hosts = []string{"Chaos.test"}
	for host, want := range map[string]bool{
		"evil.example": false, "evil.example:8474": false, "localhost.evil.example": false,
		"localhost:8474": true, "127.0.0.1": true, "[::1]:8474": true, "chaos.test:8474": true, "LocalHost": true,
	} {
		req, err := http.NewRequest("GET", f.url+"/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if ok := resp.StatusCode == 200; ok != want {
			t.Errorf("host %s: status %d, want it allowed: %v", host, resp.StatusCode, want)
		}
	}
}

func TestToken(t *testing.T) {
	s := &Server{Token: "secret"}
	defer s.Close()
	h := httptest.NewServer(s.Handler())
	defer h.Close()
	f := &fixture{t, s, h.URL}
	for _, path := range []string{"/v1/proxies", "/proxies", "/behaviors", "/metrics", "/v1/events"} {
		for _, given := range []string{"", "secret", "Bearer ", "Bearer secre", "Bearer secret2", "Basic secret"} {
			f.call("GET", path, "", 401, "Authorization", given)
		}
	}
	f.call("GET", "/v1/proxies", "", 200, "Authorization", "Bearer secret")
	f.call("GET", "/v1/proxies", "", 200, "Authorization", "bearer secret") // RFC 9110, 11.1
}
