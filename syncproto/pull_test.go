package syncproto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

func TestPullNeverWritten(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	a := d.get("").want(200)
	if got, want := a.Body.String(), `{"since":0.00,"uuid":null,"applications":[],"until":0.00}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := a.Header().Get("Cache-Control"); got != "no-cache, private" {
		t.Errorf("Cache-Control %q", got)
	}
	if e := d.events[1]; e.Op != "pull" || !e.Idle || e.Status != 200 || e.User != "ann@example.com" || e.Collection != "apps" {
		t.Errorf("event %+v", e)
	}
}

func TestPull(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	doc := `{"origin":"app1" , "last_modified":1.50, "x":[1, 2]}`
	first := d.push("[" + doc + "]")
	second := d.push(`[{"origin":"app2"},{"origin":"app3"}]`)

	all := d.pull(0)
	if len(all.Applications) != 3 || string(all.Applications[0]) != doc || all.Until != second || all.UUID == nil || all.Since != 0 {
		t.Fatalf("everything: %+v", all)
	}
	news := d.pull(first)
	if len(news.Applications) != 2 || news.Until != second || *news.UUID != *all.UUID || news.Since != first {
		t.Errorf("since the first: %+v", news)
	}
	if e := d.events[len(d.events)-1]; e.Apps != 2 || e.Bytes != int64(2*len(`{"origin":"app2"}`)) || e.Idle {
		t.Errorf("event %+v", e)
	}
	a := d.get("?since=" + second.String()).want(200)
	if got, want := a.Body.String(), fmt.Sprintf(`{"since":%v,"uuid":"%s","applications":[],"until":%v}`, second, *all.UUID, second); got != want {
		t.Errorf("nothing new: %s, want %s", got, want)
	}
}

func TestPullSince(t *testing.T) {
	d := newSite(t, syncproto.Config{}).device("ann@example.com")
	d.push(`[{"origin":"a"}]`)
	for since, want := range map[string]string{
		"":                      "0.00",
		"-5":                    "-5.00",
		"1.999":                 "1.99", // down: up would skip a record
		"1e3":                   "1000.00",
		"1.0000000000000000001": "1.00",
	} {
		a := d.get("?since=" + since).want(200)
		if !strings.HasPrefix(a.Body.String(), `{"since":`+want+`,`) || !strings.Contains(a.Body.String(), `"origin":"a"`) {
			t.Errorf("since=%s: %s, want it echoed as %s, and the app", since, a.Body, want)
		}
	}
	for _, since := range []string{"x", "NaN", "Infinity", "-inf", "1,5", "0x1", "1_0", "%20", "1e400"} {
		if c := d.get("?since=" + since).want(400).code(); c != syncproto.CodeSince {
			t.Errorf("since=%s: code %d", since, c)
		}
	}
	for _, q := range []string{"?limit=0", "?limit=-1", "?limit=x", "?since=%zz", "?limit=99999999999999999999"} {
		if c := d.get(q).want(400).code(); c != syncproto.CodeParameter {
			t.Errorf("%s: code %d", q, c)
		}
	}
}

// Whatever a client puts into a query or a validator, it is a 200, 304, 400 or
// 412, and a good login stays one.
func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "since=0", "since=1323084512.10&limit=1", "lastget=NaN", "since=%zz", "since=1&since=2", "limit=9999999999999999999", "wait=1e400", "delete", "lastget=&since=", "since=\x00"} {
		f.Add(q, `"none-0.00"`)
	}
	f.Add("", `W/"x", *`)
	f.Fuzz(func(t *testing.T, query, etag string) {
		s := newSite(t, syncproto.Config{})
		d := s.device("ann@example.com")
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, annURL, strings.NewReader(`[{"origin":"a"}]`))
			r.URL.RawQuery = query
			r.Header.Set("Authorization", d.auth)
			r.Header.Set("If-None-Match", etag)
			r.Header.Set("If-Match", etag)
			r.Header.Set("X-If-Unmodified-Since", etag)
			w := httptest.NewRecorder()
			s.h.ServeHTTP(w, r)
			switch w.Code {
			case 200, 304, 400, 412:
			default:
				t.Fatalf("%s ?%s with %q: %d %s", method, query, etag, w.Code, w.Body)
			}
		}
	})
}

// asked counts what a store is asked for.
type asked struct {
	syncproto.Store
	states, reads int
}

func (s *asked) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	s.states++
	return s.Store.State(ctx, key)
}

func (s *asked) Read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int,
	begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	s.reads++
	return s.Store.Read(ctx, key, since, limit, begin, each)
}

// TestPullAsks: what a pull costs the store.
func TestPullAsks(t *testing.T) {
	store := &asked{Store: new(syncproto.Memory)}
	s := newSite(t, syncproto.Config{Store: store})
	d, nobody := s.device("ann@example.com"), s.device("new@example.com")
	last := d.push(`[{"origin":"a"},{"origin":"b"}]`)
	for _, c := range []struct {
		d             *device
		query         string
		states, reads int
	}{
		{d, "", 1, 1},
		{d, "?since=0", 1, 1},                // the first sync: everything is news
		{d, "?since=" + last.String(), 1, 0}, // an idle poll
		{d, "?since=1", 1, 1},
		{nobody, "?since=0", 1, 0}, // and so is this, where there is nothing yet
	} {
		store.states, store.reads = 0, 0
		a := c.d.get(c.query).want(200)
		if store.states != c.states || store.reads != c.reads {
			t.Errorf("%q: %d times State, %d times Read; want %d and %d", c.query, store.states, store.reads, c.states, c.reads)
		}
		if a.Header().Get("ETag") == "" {
			t.Errorf("%q: no ETag", c.query)
		}
	}
}

func TestPullPages(t *testing.T) {
	s := newSite(t, syncproto.Config{Limits: syncproto.Limits{Page: 4}})
	d := s.device("ann@example.com")
	for i := range 5 {
		d.push(fmt.Sprintf(`[{"origin":"%d/a"},{"origin":"%d/b"}]`, i, i))
	}
	for query, perPage := range map[string]int{"": 4, "&limit=1": 2, "&limit=3": 4, "&limit=100": 4} {
		var since syncproto.Time
		seen := 0
		for pages := 1; ; pages++ {
			var p page
			a := d.get("?since=" + since.String() + query).want(200)
			unmarshal(t, a.Body.Bytes(), &p)
			seen += len(p.Applications)
			if p.Incomplete && len(p.Applications) != perPage || p.Until <= since {
				t.Fatalf("%q, page %d: %s", query, pages, a.Body)
			}
			since = p.Until
			if !p.Incomplete {
				break
			}
		}
		if seen != 10 {
			t.Errorf("%q: %d of 10 apps", query, seen)
		}
	}
}

func TestPullDeleted(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	d := s.device("ann@example.com")
	until := d.push(`[{"origin":"a"}]`)
	d.post("?delete", `{"client_id":"phone","reason":"sold"}`).want(200)
	for _, q := range []string{"", "?since=0", "?since=" + until.String(), "?since=99999999999"} {
		// As a middleware that adds X-Sync-Poll unless the key is there would see it.
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", annURL+q, nil)
		r.Header.Set("Authorization", d.auth)
		s.h.ServeHTTP(w, r)
		if got, want := w.Body.String(), `{"collection_deleted":{"client_id":"phone","reason":"sold"}}`; w.Code != 200 || got != want {
			t.Errorf("%s: %d %s, want %s", q, w.Code, got, want)
		}
		for _, h := range []string{"X-Sync-Poll", "X-Sync-Poll-Time"} {
			if v, ok := w.Header()[h]; !ok || v != nil {
				t.Errorf("%s: header %s is %q, %t; want a nil entry, so that nobody adds one", q, h, v, ok)
			}
		}
	}
}

func TestStoreDown(t *testing.T) {
	broken := &brokenStore{Store: new(syncproto.Memory)}
	away := 1500 * time.Millisecond
	d := newSite(t, syncproto.Config{Store: broken, RetryAfter: func() time.Duration { return away }}).device("ann@example.com")
	d.push(`[{"origin":"a"}]`)
	broken.err = errors.New("mysql: secret host gone")
	down := func(a answer) {
		t.Helper()
		a.want(503)
		if v := a.object(); v["status"] != "failure" || strings.Contains(a.Body.String(), "secret") {
			t.Errorf("%s", a.Body)
		}
		if a.Header().Get("ETag") != "" || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("a 503 with the validators of a 200: %v", a.Header())
		}
		if got := a.Header().Get("Retry-After"); got != "2" {
			t.Errorf("Retry-After %q, want 1.5 s rounded up", got)
		}
		if e := d.events[len(d.events)-1]; e.Status != 503 || e.Err == nil {
			t.Errorf("event %+v", e)
		}
	}
	down(d.get(""))
	down(d.post("", `[]`))
	down(d.post("?delete", `{"client_id":"x"}`))
	down(d.do("GET", "/__ready__", ""))
	broken.readOnly = true // gone between State and Read
	down(d.get(""))
	for _, away = range []time.Duration{0, -time.Second} {
		if got, ok := d.get("").want(503).Header()["Retry-After"]; ok {
			t.Errorf("Retry-After %q where %v is asked for, want none, for who is around the handler to say it", got, away)
		}
	}
	if a := d.do("GET", "/__heartbeat__", "").want(200); a.Body.String() != "OK" || a.Header().Get("Content-Type") != "text/plain" {
		t.Errorf("heartbeat %q: must not depend on the store", a.Body)
	}
	broken.err = nil
	d.do("GET", "/__ready__", "").want(200)
	d.get("").want(200)
}

func TestContextReachesTheStore(t *testing.T) {
	broken := &brokenStore{Store: new(syncproto.Memory)}
	s := newSite(t, syncproto.Config{Store: broken})
	d := s.device("ann@example.com")
	do := func(ctx context.Context) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(ctx, "GET", annURL, nil)
		r.Header.Set("Authorization", d.auth)
		s.h.ServeHTTP(w, r)
		return w
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if w := do(late); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("a context past its deadline: %d %q", w.Code, w.Header())
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if w := do(gone); w.Code != 503 || s.events[len(s.events)-1].Status != 499 {
		t.Errorf("a client that has gone: %q, event %+v", w.Body, s.events[len(s.events)-1])
	}
}

// An answer that breaks off must not look whole, however it is read.
func TestStoreFailsMidway(t *testing.T) {
	broken := &brokenStore{Store: new(syncproto.Memory)}
	s := newSite(t, syncproto.Config{Store: broken})
	d := s.device("ann@example.com")
	big := strings.Repeat("x", 100<<10)
	d.push(`[{"origin":"a","x":"` + big + `"},{"origin":"b"}]`)
	broken.midway = errors.New("connection reset")
	srv := httptest.NewServer(s.h)
	defer srv.Close()
	r, _ := http.NewRequest("GET", srv.URL+annURL, nil)
	r.Header.Set("Authorization", d.auth)
	res, err := srv.Client().Do(r)
	if err != nil {
		return // nothing arrived at all
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err == nil {
		t.Errorf("half an answer of %d bytes was delivered as a whole one", b.Len())
	}
	srv.Close() // and so the event has been told
	if e := s.events[len(s.events)-1]; e.Status != 499 || !errors.Is(e.Err, broken.midway) {
		t.Errorf("event %+v", e)
	}

	// As long as nothing has gone out, there is a proper answer.
	d.push(`[{"origin":"a"}]`)
	d.get("?since=1").want(503)
}
