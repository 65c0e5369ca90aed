package cluster

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Who has logged in on one is logged in on the other, and is told at once what
// was written there; only that user, and nothing forged.
func TestSessionsAndNews(t *testing.T) {
	g := open(t, time.Second)
	one, two := g.on(0), g.on(1)
	ann := login(t, one, "ann@example.com")
	bob := login(t, two, "bob@example.com")
	var p page
	for range 5 { // each side caches what there is, and is told of what is new
		ann.want(200, ann.get(two, ""), &p)
		before := len(p.Apps)
		ann.want(200, ann.post(one, "", `[{"origin":"`+strings.Repeat("a", before+1)+`"}]`), nil)
		ann.want(200, ann.get(two, "?since="+p.Until.String()), &p)
		if len(p.Apps) != 1 {
			t.Fatalf("the other server knows of %d new apps, want 1", len(p.Apps))
		}
		ann.want(200, ann.get(two, ""), &p)
		one, two = two, one
	}
	intruder := bob
	intruder.url = ann.url
	for _, via := range []http.RoundTripper{one, two} {
		if a := intruder.get(via, ""); a.status != 401 {
			t.Errorf("bob reads ann's: %d %s", a.status, a.body)
		}
	}
	forged := ann
	forged.auth += "x"
	if a := forged.get(two, ""); a.status != 401 {
		t.Errorf("a forged session: %d", a.status)
	}
}

// A push is made once, whichever servers it is sent to.
func TestRepeatedPush(t *testing.T) {
	g := open(t, time.Second)
	ann := login(t, g, "ann@example.com")
	push := func(via int) (r received) {
		s := ann
		s.via = roundTripper(func(r *http.Request) (*http.Response, error) {
			r.Header.Set("Idempotency-Key", "k")
			return g.on(via).RoundTrip(r)
		})
		ann.want(200, s.post(s.via, "?lastget=0", `[{"origin":"a"}]`), &r)
		return r
	}
	if first, again := push(0), push(1); first != again {
		t.Errorf("%v, and repeated on the other server %v", first, again)
	}
	if a := ann.post(g.on(1), "?lastget=0", `[{"origin":"b"}]`); a.status != 412 {
		t.Errorf("another push that has not seen it: %d %s, want 412", a.status, a.body)
	}
}

// A client that takes received for its next since, as the first ones do, is
// never led past what it has not seen, also where memcached has lost its mark.
func TestReceivedIsRepaired(t *testing.T) {
	g := open(t, time.Second)
	one, two := g.on(0), g.on(1)
	for name, trouble := range map[string]struct{ begin, end func() }{
		"calm":        {func() {}, func() {}},
		"emptied":     {func() { g.cache.Kill(); g.cache.Start() }, func() {}},
		"gone":        {g.cache.Kill, g.cache.Start},
		"frozen":      {g.cache.Freeze, g.cache.Thaw},
		"one cut off": {func() { g.nodes[0].cutOff(t, "memcached") }, func() { g.nodes[0].heal(t) }},
		"two cut off": {func() { g.nodes[1].cutOff(t, "memcached") }, func() { g.nodes[1].heal(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			user := strings.ReplaceAll(name, " ", ".") + "@example.com"
			phone, laptop := login(t, one, user), login(t, two, user)
			phone.want(200, phone.post(one, "", `[{"origin":"a"}]`), nil)
			laptop.want(200, laptop.get(one, ""), nil)
			trouble.begin()
			defer trouble.end()
			phone.want(200, phone.post(two, "", `[{"origin":"missed"}]`), nil)
			var r received
			laptop.want(200, laptop.post(two, "", `[{"origin":"mine"}]`), &r)
			for { // until the last cached state is no longer believed
				var p page
				laptop.want(200, laptop.get(two, "?since="+r.Received.String()), &p)
				if slices.Contains(p.origins(), "missed") {
					break
				}
				if len(p.Apps) > 0 { // an answer with news has all of them
					t.Fatalf("since=received has %v and not what the phone pushed", p.Apps)
				}
			}
		})
	}
}

// An idle poll asks memcached and not the database: it is answered while there
// is none.
func TestIdlePollNeedsNoDatabase(t *testing.T) {
	g := open(t, time.Hour)
	ann := login(t, g, "ann@example.com")
	var r received
	ann.want(200, ann.post(g.on(0), "", `[{"origin":"a"}]`), &r)
	g.db.Kill()
	idle := ann.get(g.on(1), "?since="+r.Received.String())
	news := ann.get(g.on(1), "?since=0")
	push := ann.post(g.on(0), "", `[{"origin":"b"}]`)
	g.db.Start()
	ann.want(200, idle, nil) // what the other server has written is known here
	for _, a := range []answer{news, push} {
		if a.err != nil || a.status != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("%d %s, %v; want 503 and when to come back", a.status, a.body, a.err)
		}
	}
	ann.want(200, ann.get(g.on(1), "?since=0"), nil)
}
