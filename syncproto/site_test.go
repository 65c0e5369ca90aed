package syncproto_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func TestMain(m *testing.M) { leak.Main(m) }

const (
	annURL   = "/collections/ann%40example.com/apps"
	audience = "https://apps.example.com"
)

// site is a handler under test and the events it told.
type site struct {
	t      *testing.T
	h      http.Handler
	events []syncproto.Event
}

// newSite makes a handler of c, with memory, plain assertions and development
// where c has nothing else.
func newSite(t *testing.T, c syncproto.Config) *site {
	t.Helper()
	s := &site{t: t}
	if c.Store == nil {
		c.Store = new(syncproto.Memory)
	}
	if c.Verifier == nil {
		c.Verifier, c.Development = verify.Plain{}, true
	}
	if c.OnEvent == nil {
		c.OnEvent = func(e syncproto.Event) { s.events = append(s.events, e) }
	}
	h, err := syncproto.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.h = h
	return s
}

type answer struct {
	*httptest.ResponseRecorder
	t *testing.T
}

// do sends a request; header is name, value, name, value.
func (s *site) do(method, target, body string, header ...string) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return answer{w, s.t}
}

// want demands a status and returns the answer.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.Code != status {
		a.t.Fatalf("status %d, want %d: %s", a.Code, status, a.Body)
	}
	return a
}

func (a answer) object() map[string]any {
	a.t.Helper()
	var v map[string]any
	if err := json.Unmarshal(a.Body.Bytes(), &v); err != nil {
		a.t.Fatalf("body %q: %v", a.Body, err)
	}
	if ct := a.Header().Get("Content-Type"); ct != "application/json" {
		a.t.Fatalf("content type %q of %s", ct, a.Body)
	}
	return v
}

// code is the code of a 4xx.
func (a answer) code() int {
	a.t.Helper()
	v := a.object()
	c, ok := v["code"].(float64)
	if !ok || v["msg"] == "" {
		a.t.Fatalf("body %s: want code and msg", a.Body)
	}
	return int(c)
}

func (s *site) verify(assertion, audience string, header ...string) answer {
	s.t.Helper()
	form := url.Values{"assertion": {assertion}, "audience": {audience}}
	return s.do("POST", "/verify", form.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, header...)...)
}

// device is a logged-in client.
type device struct {
	*site
	auth string
	url  string
}

func (s *site) device(email string) *device {
	s.t.Helper()
	v := s.verify(email+"?a="+audience, audience).want(200).object()
	return &device{s, v["http_authorization"].(string), "/collections/" + url.PathEscape(email) + "/apps"}
}

type page struct {
	Since        syncproto.Time    `json:"since"`
	UUID         *string           `json:"uuid"`
	Applications []json.RawMessage `json:"applications"`
	Until        syncproto.Time    `json:"until"`
	Incomplete   bool              `json:"incomplete"`
}

func (d *device) get(query string, header ...string) answer {
	d.t.Helper()
	return d.do("GET", d.url+query, "", append(header, "Authorization", d.auth)...)
}

func (d *device) post(query, body string, header ...string) answer {
	d.t.Helper()
	return d.do("POST", d.url+query, body, append(header, "Authorization", d.auth)...)
}

// pull pulls what is newer than since.
func (d *device) pull(since syncproto.Time) page {
	d.t.Helper()
	var p page
	a := d.get("?since=" + since.String()).want(200)
	if err := json.Unmarshal(a.Body.Bytes(), &p); err != nil {
		d.t.Fatalf("pull: %q: %v", a.Body, err)
	}
	return p
}

// push pushes and returns received.
func (d *device) push(body string, header ...string) syncproto.Time {
	d.t.Helper()
	return received(d.post("", body, header...))
}

func received(a answer) syncproto.Time {
	a.t.Helper()
	var v struct{ Received syncproto.Time }
	if err := json.Unmarshal(a.want(200).Body.Bytes(), &v); err != nil || v.Received == 0 {
		a.t.Fatalf("push: %q: %v", a.Body, err)
	}
	return v.Received
}

// brokenStore fails as told, and otherwise is the store below.
type brokenStore struct {
	syncproto.Store
	err      error // of State, Write and Ping, and of Read before its first record
	midway   error // of Read after its first record
	readOnly bool  // Read fails, State does not
}

func (b *brokenStore) State(ctx context.Context, k syncproto.Key) (syncproto.State, error) {
	if b.err != nil && !b.readOnly {
		return syncproto.State{}, b.err
	}
	return b.Store.State(ctx, k)
}

func (b *brokenStore) Read(ctx context.Context, k syncproto.Key, since syncproto.Time, limit int, begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	if b.err != nil {
		return false, b.err
	}
	return b.Store.Read(ctx, k, since, limit, begin, func(r syncproto.Record) error {
		if err := each(r); err != nil {
			return err
		}
		return b.midway
	})
}

func (b *brokenStore) Write(ctx context.Context, k syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	if b.err != nil {
		return syncproto.Result{}, b.err
	}
	return b.Store.Write(ctx, k, w)
}

func (b *brokenStore) Ping(ctx context.Context) error {
	if b.err != nil {
		return b.err
	}
	return b.Store.Ping(ctx)
}
