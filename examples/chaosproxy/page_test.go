package main

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/control"
)

// served is a site to make requests of.
func served(t *testing.T, token string) func(path string, headers ...string) *http.Response {
	t.Helper()
	s := &control.Server{Token: token}
	t.Cleanup(func() { _ = s.Close() })
	h, err := site(s, newTimeline(s.Totals))
	if err != nil {
		t.Fatal(err)
	}
	return func(path string, headers ...string) *http.Response {
		r := httptest.NewRequest("GET", path, nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
}

func TestPageIsServed(t *testing.T) {
	get := served(t, "")
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page/main.js": "text/javascript; charset=utf-8",
		"/page/style.css": "text/css; charset=utf-8", "/page/icon.svg": "image/svg+xml",
	} {
		resp := get(path)
		h := resp.Header
		if resp.StatusCode != 200 || h.Get("Content-Type") != kind {
			t.Errorf("%s: %s, %s", path, resp.Status, h.Get("Content-Type"))
		}
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: the policy lacks %s: %s", path, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, h)
		}
	}
	for path, status := range map[string]int{
		"/page/form": 200, "/page/timeline": 200, "/page/none.js": 404, "/page/../main.go": 307, "/v1/proxies": 200, "/version": 200, "/behavior": 404, "/none": 404,
	} {
		if resp := get(path); resp.StatusCode != status {
			t.Errorf("%s: %s, want %d", path, resp.Status, status)
		}
	}
}

// TestPageAsksForToken serves the page to everyone, and what it shows to those
// who have the token.
func TestPageAsksForToken(t *testing.T) {
	get := served(t, "secret")
	for _, path := range []string{"/", "/page/main.js"} {
		if resp := get(path); resp.StatusCode != 200 {
			t.Errorf("%s: %s", path, resp.Status)
		}
	}
	for _, path := range []string{"/page/form", "/page/timeline", "/v1/proxies", "/proxies", "/metrics"} {
		if resp := get(path); resp.StatusCode != 401 {
			t.Errorf("%s without a token: %s", path, resp.Status)
		}
	}
	for _, path := range []string{"/page/form", "/page/timeline"} {
		if resp := get(path, "Authorization", "Bearer secret"); resp.StatusCode != 200 {
			t.Errorf("%s with the token: %s", path, resp.Status)
		}
	}
}

// TestAssets keeps the page to what is embedded: no other server, nothing
// inline, no text that becomes HTML.
func TestAssets(t *testing.T) {
	outside := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9.-]+\.[a-z]{2,}`)
	inline := regexp.MustCompile(`(?i)\son[a-z]+\s*=\s*"|<style|\sstyle\s*=|<script(?:\s[^>]*)?>[^<]|javascript:`)
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser`)
	n := 0
	err := fs.WalkDir(assets, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		text, err := fs.ReadFile(assets, path)
		if err != nil {
			return err
		}
		// The name of a vocabulary, of which nothing is loaded.
		checked := strings.ReplaceAll(string(text), "http://www.w3.org/2000/svg", "")
		for _, bad := range []*regexp.Regexp{outside, markup} {
			if m := bad.FindString(checked); m != "" {
				t.Errorf("%s has %q", path, m)
			}
		}
		if strings.HasSuffix(path, ".html") {
			if m := inline.FindString(checked); m != "" {
				t.Errorf("%s has %q", path, m)
			}
		}
		return nil
	})
	if err != nil || n < 5 {
		t.Errorf("%d files, %v", n, err)
	}
}

func TestPlanForm(t *testing.T) {
	f := planForm(catalogue())
	told := map[string]bool{}
	var tell func(of string, all []option)
	tell = func(of string, all []option) {
		for _, o := range all {
			told[of+"."+o.Name] = true
			tell(o.Name, o.Options)
		}
	}
	tell("rule", f.Rule)
	for _, k := range f.Faults {
		told[k.Kind] = true
		tell(k.Kind, k.Options)
	}
	for what := range told {
		if says[what] == "" {
			t.Errorf("nobody is told what %s is", what)
		}
	}
	for what := range says {
		if !told[what] {
			t.Errorf("there is no %s any more", what)
		}
	}
	if len(f.Faults) != len(catalogue()) {
		t.Errorf("%d faults; the catalogue has %d", len(f.Faults), len(catalogue()))
	}
	if got := text(t, planForm(faultconn.Catalogue{pretend{}}).Faults); got !=
		`[{"kind":"pretend","says":"","options":[{"name":"for","type":"duration"},{"name":"atMost","type":"number"},{"name":"named","type":"text"},`+
			`{"name":"inside","type":"object","options":[{"name":"table","type":"list of duration"},{"name":"fault","type":"fault"},{"name":"on","type":"boolean"}]}]}]` {
		t.Error(got)
	}
	names := map[string]bool{}
	for _, o := range f.Rule {
		names[o.Name] = true
	}
	if !names["when"] || !names["select"] || names["fault"] || names["mix"] {
		t.Errorf("a rule has %v", names)
	}
}

// TestPlanFormIsTrue reads a plan with each option that the form offers.
func TestPlanFormIsTrue(t *testing.T) {
	for _, k := range planForm(catalogue()).Faults {
		for _, o := range k.Options {
			value := map[string]string{"duration": `"1s"`, "number": "1", "boolean": "true", "text": `"x"`, "object": "{}", "fault": `{"kind":"reset"}`,
				"list of duration": `["1s"]`, "list of text": `["x"]`}[o.Type]
			if value == "" {
				t.Errorf("%s.%s: the page has no field for %q", k.Kind, o.Name, o.Type)
				continue
			}
			_, err := catalogue().Parse([]byte(`{"rules":[{"fault":{"kind":"` + k.Kind + `","` + o.Name + `":` + value + `}}]}`))
			// Its value may be wrong; its name and type are right.
			if err != nil && (strings.Contains(err.Error(), "unknown: ") || strings.Contains(err.Error(), "must be a ") && !strings.Contains(err.Error(), "rule ")) {
				t.Errorf("%s.%s: %v", k.Kind, o.Name, err)
			}
		}
	}
}

// pretend is a fault with one option of each type.
type pretend struct {
	For    time.Duration
	AtMost int64
	Title  string `json:"named"`
	Inside struct {
		Table []time.Duration
		Fault faultconn.Fault
		On    bool
	}
	Skipped string `json:"-"`
	Custom  func()
}

func (pretend) Kind() string { return "pretend" }

func (pretend) Inject(faultconn.Op) faultconn.Effect { return faultconn.Effect{} }
