package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/faultconn/memnet"
)

// FuzzAPI sends any request. None panics, an error is told as JSON, and what is
// refused has changed nothing.
func FuzzAPI(f *testing.F) {
	for _, seed := range [][3]string{
		{"POST", "/proxies", `{"name":"x","listen":"a:1","upstream":"b:1"}`},
		{"POST", "/proxies/db", `{"enabled":false}`},
		{"PATCH", "/proxies/db/toxics/cut", `{"toxicity":2,"attributes":{"timeout":9223372036854775807}}`},
		{"POST", "/proxies/db/toxics", `{"type":"latency","stream":"upstream","attributes":{"latency":10,"jitter":-1}}`},
		{"POST", "/populate", `[{"name":"db","listen":"h:2","upstream":"b:2","toxics":[{"type":"slicer"}]},{"name":"n","upstream":"u:1"}]`},
		{"DELETE", "/proxies/db/toxics/cut", ""},
		{"POST", "/reset", ""},
		{"PUT", "/v1/proxies/db/plan", `{"seed":3,"rules":[{"mix":[{"percent":5,"fault":{"kind":"reset"}}]}]}`},
		{"POST", "/v1/proxies", `{"name":"y","upstream":"u:1","behavior":"20:delay"}`},
		{"PATCH", "/v1/proxies/db", `{"upstream":"z:1"}`},
		{"PUT", "/v1/scenario", `{"steps":[{"at":"1h","plans":{"db":{}}}]}`},
		{"POST", "/v1/proxies/db/connections/1/reset", ""},
		{"PUT", "/behavior", `{"name":"delay","sleep":1e300}`},
		{"PUT", "/backend", `{"backend":"x:1"}`},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if path == "/v1/events" {
			return // it does not end by itself
		}
		req, err := http.NewRequest(method, "http://localhost/", strings.NewReader(body))
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		if req.URL, err = req.URL.Parse(strings.ReplaceAll(path, "//", "/")); err != nil || req.URL.Host != "localhost" {
			return
		}
		var network memnet.Network
		defer network.Close()
		s := &Server{
			Listen: func(_ context.Context, n, a string) (net.Listener, error) {
				if strings.HasSuffix(a, ":0") { // memnet hands out ports as well
					return network.Listen(n, a)
				}
				return nil, errors.New("address in use")
			},
		}
		defer s.Close()
		if err := s.Add(Proxy{Name: "db", Listen: "localhost:0", Upstream: "u:1", Toxics: []Toxic{{Name: "cut", Type: "timeout", Toxicity: 1}}}); err != nil {
			t.Fatal(err)
		}
		before := show(t, s)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, req)
		if w.Code < 400 {
			return
		}
		if w.Header().Get("Content-Type") == "application/json" {
			var says struct {
				Error  string
				Errors []struct{ Description string }
			}
			if err := json.Unmarshal(w.Body.Bytes(), &says); err != nil || says.Error == "" && len(says.Errors) == 0 {
				t.Errorf("%d: %v: %s", w.Code, err, w.Body)
			}
		}
		if after := show(t, s); after != before {
			t.Errorf("refused with %d %s, and has changed\n%s\nto\n%s", w.Code, w.Body, before, after)
		}
	})
}

func show(t *testing.T, s *Server) string {
	text, err := json.Marshal(s.Proxies())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// FuzzParseConfig reads any file. One that is read can be run.
func FuzzParseConfig(f *testing.F) {
	f.Add(`{"proxies":[{"name":"db","listen":"localhost:0","upstream":"db:5432","plan":{"rules":[{"fault":{"kind":"hang"}}]},"toxics":[{"type":"latency","attributes":{"latency":5}}],"behavior":"20:delay,10:error"}]}`)
	f.Add(`{"proxies":[{"name":"","upstream":"unix:/x","enabled":false}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		proxies, err := ParseConfig([]byte(text), nil)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "control: config: ") {
				t.Errorf("%q", err)
			}
			return
		}
		s := &Server{}
		defer s.Close()
		for _, p := range proxies {
			p.Disabled = true
			if err := s.Add(p); err != nil {
				t.Errorf("it was read and cannot be run: %v", err)
			}
		}
	})
}
