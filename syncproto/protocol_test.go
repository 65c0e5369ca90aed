package syncproto_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// The page that clients are written from names every field, status and header
// that an answer can have.
func TestProtocolPageIsWhole(t *testing.T) {
	text, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	known := func(what, name string) {
		t.Helper()
		if !regexp.MustCompile("(?i)[`\"| ]" + regexp.QuoteMeta(name) + "[`\":, ]").MatchString(page) {
			t.Errorf("PROTOCOL.md says nothing of the %s %s", what, name)
		}
	}
	look := func(a answer) answer {
		t.Helper()
		known("status", strconv.Itoa(a.Code))
		for name, values := range a.Header() {
			switch name {
			case "Content-Length", "Cache-Control", "Vary": // HTTP's own
			default:
				if len(values) > 0 { // nil keeps what is around the handler from setting it
					known("header", name)
				}
			}
		}
		var fields map[string]json.RawMessage
		if json.Unmarshal(a.Body.Bytes(), &fields) == nil {
			for name := range fields {
				known("field", name)
			}
		}
		return a
	}

	s := newSite(t, syncproto.Config{
		Quota: syncproto.Quota{Apps: 2, Bytes: 1000, Collections: 5},
		Store: &brokenStore{Store: new(syncproto.Memory)},
		Watch: syncproto.Watch{Max: time.Minute},
	})
	look(s.verify("ann@example.com?a=x", "x").want(200))
	look(s.verify("nobody", "x").want(401))
	look(s.do("POST", "/verify", "").want(400))
	d := s.device("ann@example.com")
	look(d.post("", `[{"origin":"a"}]`).want(200))
	look(d.post("", `[{"origin":"b"}]`).want(200))
	look(d.post("", `[{"origin":"c"}]`).want(403))
	a := look(d.get("").want(200))
	look(d.get("?limit=1").want(200))
	look(d.get("", "If-None-Match", a.Header().Get("ETag")).want(304))
	look(d.post("?lastget=0", `[]`).want(412))
	look(d.post("", "["+strings.Repeat(" ", 5<<20)).want(413))
	look(d.post("?delete", `{"client_id":"x"}`).want(200))
	look(d.get("").want(200))
	look(s.do("GET", "/info/configuration", "").want(200))
	look(s.do("PUT", annURL, "").want(405))
	look(s.do("GET", "/nowhere", "").want(404))
	look(newSite(t, syncproto.Config{}).device("ann@example.com").get("", "Accept", "text/event-stream").want(406))

	direct := newSite(t, syncproto.Config{Quota: syncproto.Quota{Bytes: 1000}}).device("ann@example.com")
	look(direct.do("GET", "/info/usage/ann@example.com", "", "Authorization", direct.auth).want(200))

	down := newSite(t, syncproto.Config{Store: &brokenStore{Store: new(syncproto.Memory), err: os.ErrClosed}}).device("ann@example.com")
	look(down.get("").want(503))

	for _, limit := range []string{"4 MiB", "10,000 documents a push", "1 MiB a document", "32 levels", "1024 bytes an origin", "10,000 documents a page", "256 bytes a user"} {
		if !strings.Contains(page, limit) {
			t.Errorf("PROTOCOL.md does not say %q", limit)
		}
	}
}

// late is a body that a server's ReadTimeout cuts off.
type late struct{}

func (late) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }

func TestBodyTooLate(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	d := s.device("ann@example.com")
	r := httptest.NewRequest("POST", annURL, late{})
	r.Header.Set("Authorization", d.auth)
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	answer{w, t}.want(http.StatusRequestTimeout)
	if d.pull(0).UUID != nil {
		t.Error("a body that did not come was taken for a push")
	}
}
