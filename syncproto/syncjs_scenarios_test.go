package syncproto_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// inBubble runs a scenario of original clients in virtual time.
func inBubble(t *testing.T, c syncproto.Config, scenario func(t *testing.T, s *netSite, client func() *syncJS)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, c)
		scenario(t, s, func() *syncJS {
			js := newSyncJS(s)
			js.logIn("ann@example.com")
			return js
		})
	})
}

func (c *syncJS) sync(t *testing.T) {
	t.Helper()
	if err := c.syncNow(false); err != nil {
		t.Fatalf("syncNow: %v", err)
	}
}

func TestOriginalConverges(t *testing.T) {
	inBubble(t, syncproto.Config{}, func(t *testing.T, _ *netSite, client func() *syncJS) {
		a, b := client(), client()
		a.install("chess", 1000)
		b.install("mail", 1001)
		for range 2 {
			a.sync(t)
			b.sync(t)
		}
		if a.has() != "chess mail" || b.has() != "chess mail" {
			t.Errorf("a has %s, b has %s", a.has(), b.has())
		}
		b.uninstall("mail", 2000)
		for range 3 {
			b.sync(t)
			a.sync(t)
		}
		if a.has() != "chess" || b.has() != "chess" {
			t.Errorf("after an uninstallation a has %s, b has %s", a.has(), b.has())
		}
	})
}

func TestOriginalPages(t *testing.T) {
	inBubble(t, syncproto.Config{Limits: syncproto.Limits{Page: 2}}, func(t *testing.T, _ *netSite, client func() *syncJS) {
		a, b := client(), client()
		for i := range 7 {
			a.install(fmt.Sprint("app", i), 1000)
			a.sync(t)
		}
		if b.sync(t); len(b.apps) != 7 {
			t.Errorf("b has %s", b.has())
		}
	})
}

// Random devices, with foreign writes at the one moment that the original
// server lost them: between a pull and the push that follows.
func TestOriginalNeverMissesAWrite(t *testing.T) {
	for seed := range uint64(40) {
		inBubble(t, syncproto.Config{Limits: syncproto.Limits{Page: 1 + int(seed%3)}}, func(t *testing.T, s *netSite, client func() *syncJS) {
			rng := rand.New(rand.NewPCG(seed, 1))
			devices := []*syncJS{client(), client(), client()}
			clock := 1000.0
			act := func(d *syncJS) {
				clock++
				origin := fmt.Sprint("app", rng.IntN(6))
				if _, ok := d.apps[origin]; ok && rng.IntN(3) == 0 {
					d.uninstall(origin, clock)
				} else {
					d.install(origin, clock)
				}
			}
			for range 30 {
				i := rng.IntN(len(devices))
				d, other := devices[i], devices[(i+1)%len(devices)]
				act(d)
				if rng.IntN(2) == 0 {
					d.between = func() {
						d.between = nil
						act(other)
						other.sync(t)
					}
				}
				d.sync(t)
				d.between = nil
				time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
			}
			for range 4 {
				for _, d := range devices {
					d.sync(t)
				}
			}
			// What the server holds, by a client that has never synced before.
			truth := client()
			truth.sync(t)
			for i, d := range devices {
				for origin, doc := range truth.seen {
					if d.seen[origin] != doc && !own(d, doc) {
						t.Errorf("seed %d: device %d last heard %s of %s, the server holds %s", seed, i, d.seen[origin], origin, doc)
					}
				}
			}
		})
	}
}

// own says whether the document is what the device itself pushed last.
func own(d *syncJS, doc string) bool {
	for origin, at := range d.put {
		if strings.Contains(doc, fmt.Sprintf(`"last_modified":%v,`, at)) && strings.Contains(doc, fmt.Sprintf(`"origin":%q`, origin)) ||
			strings.Contains(doc, fmt.Sprintf(`"last_modified":%v,"origin":%q}`, at, origin)) {
			return true
		}
	}
	return false
}

func TestOriginalMeetsDeletion(t *testing.T) {
	inBubble(t, syncproto.Config{}, func(t *testing.T, _ *netSite, client func() *syncJS) {
		a, b := client(), client()
		a.install("chess", 1000)
		a.sync(t)
		a.sync(t) // a push doesn't say the uuid, only a pull does
		b.sync(t)
		a.deleteCollection()
		if err := b.syncNow(false); !errors.Is(err, errCollectionDeleted) {
			t.Fatalf("b: %v", err)
		}
		if err := b.syncNow(false); !errors.Is(err, errCollectionDeleted) {
			t.Fatalf("b again: %v", err)
		}
		b.install("mail", 2000)
		if err := b.syncNow(true); err != nil {
			t.Fatalf("b, forced: %v", err)
		}
		b.sync(t)
		// For a this is another life of the collection.
		if err := a.syncNow(false); !errors.Is(err, errUUIDChanged) {
			t.Fatalf("a: %v", err)
		}
		a.sync(t) // a full one
		a.sync(t)
		b.sync(t)
		if a.has() != "chess mail" || b.has() != "chess mail" {
			t.Errorf("a has %s, b has %s", a.has(), b.has())
		}
	})
}

func TestOriginalMeetsUnauthorized(t *testing.T) {
	inBubble(t, syncproto.Config{}, func(t *testing.T, _ *netSite, client func() *syncJS) {
		a := client()
		a.login.Auth = "AppSync AAAA:AAAA:AAAA"
		if err := a.syncNow(false); !errors.Is(err, errStatus) || !a.dead {
			t.Errorf("%v, dead %t: with a header that says when to come back it would, for ever", err, a.dead)
		}
		a.logIn("ann@example.com")
		a.sync(t)
	})
}

// The session has to outlive many polls, for nobody logs in again.
func TestOriginalPollsForWeeks(t *testing.T) {
	inBubble(t, syncproto.Config{}, func(t *testing.T, _ *netSite, client func() *syncJS) {
		a := client()
		for range 28 * 24 {
			time.Sleep(time.Hour)
			a.sync(t)
		}
	})
}

func TestOriginalMeetsOutage(t *testing.T) {
	broken := &brokenStore{Store: new(syncproto.Memory)}
	inBubble(t, syncproto.Config{Store: broken}, func(t *testing.T, _ *netSite, client func() *syncJS) {
		a := client()
		a.install("chess", 1000)
		broken.err = errors.New("down")
		if err := a.syncNow(false); !errors.Is(err, errStatus) || a.next != 120*time.Second || a.period != jsPeriod {
			t.Errorf("%v, next in %v, period %v", err, a.next, a.period)
		}
		broken.err = nil
		a.sync(t)
		if a.lastSyncPut == 0 {
			t.Errorf("after the outage the app was not put")
		}
	})
}

// It sends no lastget, and so must never meet a conflict of its own making.
func TestOriginalMeetsNoConflict(t *testing.T) {
	inBubble(t, syncproto.Config{}, func(t *testing.T, _ *netSite, client func() *syncJS) {
		a, b := client(), client()
		for i := range 5 {
			a.install("chess", float64(1000+2*i))
			b.install("chess", float64(1001+2*i))
			a.between = func() { b.sync(t) }
			a.sync(t)
		}
	})
}

// With the middleware that is made for it around the handler, the poll hint goes
// where the first server put it, and where the first client reads it.
func TestPollHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true})
		if err != nil {
			t.Fatal(err)
		}
		hinted, err := pollEvery(h, 45*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		s := serveHandler(t, hinted)
		d := s.login("ann@example.com")
		check := func(what string, res *http.Response, want string) {
			t.Helper()
			res.Body.Close()
			for _, name := range []string{"X-Sync-Poll", "X-Sync-Poll-Time"} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", what, name, got, want)
				}
			}
		}
		check("a pull", d.request("GET", "", ""), "45")
		check("a push", d.request("POST", "", `[{"origin":"a"}]`), "")
		check("a bad request", d.request("GET", "?since=x", ""), "")
		d.text("POST", "?delete", `{"client_id":"x"}`)
		check("a deleted collection", d.request("GET", "", ""), "")
		d.auth = ""
		check("a request without login", d.request("GET", "", ""), "")
	})
}

// pollEvery is the middleware with a fixed value.
func pollEvery(h http.Handler, every time.Duration) (http.Handler, error) {
	m, err := backoff.Policy{Current: func() backoff.Value { return backoff.Value{Interval: every} }}.Middleware()
	if err != nil {
		return nil, err
	}
	return m(h), nil
}
