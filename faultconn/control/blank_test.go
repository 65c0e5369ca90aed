package control

import (
	"strings"
	"testing"
)

// TestBlank leaves out what a call or a file has to have: "EOF" says nothing to
// who has forgotten it.
func TestBlank(t *testing.T) {
	f := newFixture(t)
	f.call("POST", "/proxies/db/toxics", `{"name":"slow","type":"latency"}`, 200)
	before := f.call("GET", "/v1/proxies", "", 200)
	for _, blank := range []string{"", " \r\n\t"} {
		for _, route := range []string{
			"POST /v1/proxies", "PATCH /v1/proxies/db", "PUT " + planPath, "PUT /v1/scenario",
			"POST /proxies", "POST /proxies/db", "PATCH /proxies/db", "POST /populate",
			"POST /proxies/db/toxics", "POST /proxies/db/toxics/slow", "PATCH /proxies/db/toxics/slow",
			"PUT /behavior", "PUT /backend",
		} {
			method, path, _ := strings.Cut(route, " ")
			if got := f.call(method, path, blank, 400); !strings.Contains(got, "bad request body: it is empty: must be JSON") {
				t.Errorf("%s with %q: %s", route, blank, got)
			}
		}
		if _, err := ParseConfig([]byte(blank), nil); err == nil || err.Error() != `control: config: it is empty: must be JSON: {"proxies": [...]}` {
			t.Errorf("a config of %q: %v", blank, err)
		}
		if _, _, err := FromToxiproxy([]byte(blank)); err == nil || err.Error() != `control: toxiproxy config: it is empty: must be JSON: [{"name": ...}]` {
			t.Errorf("a config of Toxiproxy's of %q: %v", blank, err)
		}
	}
	if after := f.call("GET", "/v1/proxies", "", 200); after != before {
		t.Errorf("refused, and has changed\n%s\nto\n%s", before, after)
	}
	f.call("DELETE", planPath, "", 200) // which needs none
	f.call("POST", "/reset", "", 204)
}
