package control

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestUnrouted asks for what there is not.
func TestUnrouted(t *testing.T) {
	s := &Server{}
	defer s.Close()
	ask := func(h http.Handler, method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	for _, c := range []struct {
		method, path string
		status       int
		allow, says  string
	}{
		{"GET", "/v1", 404, "", `path "/v1": there are those under /v1/proxies`},
		{"GET", "/v1/", 404, "", `path "/v1/": there are`},
		{"POST", "/v1/proxy", 404, "", `path "/v1/proxy": there are`},
		{"GET", "/v1/proxies/", 404, "", "there are those"},
		{"PUT", "/v1/proxies/db/plan/1", 404, "", "there are those"},
		{"GET", "/v1/" + strings.Repeat("x", 1000), 404, "", "there are those"},
		{"PUT", "/v1/proxies", 405, "GET, HEAD, POST", `method "PUT": this path takes GET, HEAD, POST`},
		{"POST", "/v1/proxies/db/plan", 405, "DELETE, GET, HEAD, PUT", "takes DELETE, GET, HEAD, PUT"},
		{"GET", "/v1/proxies/db/connections/1/reset", 405, "POST", "takes POST"},
		{"DELETE", "/v1/events", 405, "GET, HEAD", "takes GET, HEAD"},
		{"OPTIONS", "/v1/scenario", 405, "DELETE, GET, HEAD, PUT", "takes DELETE"},
	} {
		for name, h := range map[string]http.Handler{"Handler": s.Handler(), "Native": s.Native()} {
			w := ask(h, c.method, c.path)
			e := parse[struct {
				Error  string
				Status int
			}](t, w.Body.String())
			if w.Code != c.status || e.Status != c.status || !strings.Contains(e.Error, c.says) || len(e.Error) > 300 ||
				w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Allow") != c.allow {
				t.Errorf("%s: %s %s: %d %v %s, want %d, Allow %q, %q", name, c.method, c.path, w.Code, w.Header(), w.Body, c.status, c.allow, c.says)
			}
		}
	}
	// A cleaner path is where a router sends to, whatever is there.
	for _, h := range []http.Handler{s.Handler(), s.Native()} {
		if w := ask(h, "GET", "/v1//x"); w.Code != 307 || w.Header().Get("Location") != "/v1/x" {
			t.Errorf("/v1//x: %d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	// All that is not the native API keeps to itself.
	for _, h := range []http.Handler{s.Handler(), s.Toxiproxy()} {
		if w := ask(h, "GET", "/proxies/db/x"); w.Code != 404 || w.Body.String() != "404 page not found\n" {
			t.Errorf("no route of Toxiproxy's: %d %s", w.Code, w.Body)
		}
		if w := ask(h, "PUT", "/proxies"); w.Code != 405 || w.Body.String() != "Method Not Allowed\n" || w.Header().Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("no method of Toxiproxy's: %d %v %s", w.Code, w.Header(), w.Body)
		}
	}
	if w := ask(s.Native(), "GET", "/proxies"); w.Code != 404 || !strings.Contains(w.Body.String(), `path \"/proxies\"`) {
		t.Errorf("Toxiproxy's, of Native: %d %s", w.Code, w.Body)
	}
}
