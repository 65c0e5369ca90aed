package syncproto_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// What the first client asks, request by request, and what it makes of the
// answers.

// middle is a handler behind something that a test puts in front.
func middle(t *testing.T, c syncproto.Config, front func(http.Handler) http.Handler) *netSite {
	t.Helper()
	if c.Store == nil {
		c.Store = new(syncproto.Memory)
	}
	c.Verifier, c.Development = verify.Plain{}, true
	h, err := syncproto.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return serveHandler(t, front(h))
}

func TestOriginalRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		s := middle(t, syncproto.Config{}, func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				r.Body = io.NopCloser(strings.NewReader(string(b)))
				got = append(got, strings.TrimSpace(fmt.Sprint(r.Method, " ", r.URL.RequestURI(), " ", r.Header.Get("Content-Type"), " ", string(b))))
				h.ServeHTTP(w, r)
			})
		})
		a := newSyncJS(s)
		a.logIn("ann@example.com")
		a.install("chess", 1000)
		a.sync(t)
		put := strconv.FormatFloat(a.lastSyncPut, 'f', -1, 64)
		a.sync(t) // nothing to send: no POST
		a.uninstall("chess", 2000)
		a.sync(t)
		a.deleteCollection()
		want := []string{
			"POST /verify application/x-www-form-urlencoded assertion=ann%40example.com%3Fa%3Dx&audience=x",
			"GET " + annURL + "?since=0",
			"POST " + annURL + ` text/plain;charset=UTF-8 [{"origin":"chess","last_modified":1000}]`,
			"GET " + annURL + "?since=" + put,
			"GET " + annURL + "?since=" + put,
			"POST " + annURL + ` text/plain;charset=UTF-8 [{"origin":"chess","last_modified":2000,"deleted":true}]`,
			"POST " + annURL + `?delete text/plain;charset=UTF-8 {"client_id":"unknown","reason":"test"}`,
		}
		if !slices.Equal(got, want) {
			t.Errorf("it asked\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// It keeps the answer to a login over a reload of its page, and goes on with it
// without asking for another, also with a server that was started meanwhile.
func TestOriginalReloads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := syncproto.Config{Store: new(syncproto.Memory), Sessions: &syncproto.SignedSessions{Keys: [][]byte{make([]byte, 32)}}}
		before := newSyncJS(serve(t, c))
		before.logIn("ann@example.com")
		before.install("chess", 1000)
		before.sync(t)
		time.Sleep(20 * 24 * time.Hour)
		after := *before
		after.client = serve(t, c).client
		after.install("mail", 2000)
		after.sync(t)
		other := newSyncJS(serve(t, c))
		other.logIn("ann@example.com")
		if other.sync(t); other.has() != "chess mail" {
			t.Errorf("after a reload the server has %s", other.has())
		}
	})
}

// A null where it knows a uuid is another life, too: it forgets what it has put,
// and puts it again.
func TestOriginalMeetsAnEmptyServer(t *testing.T) {
	lost := &swapped{Store: new(syncproto.Memory)}
	inBubble(t, syncproto.Config{Store: lost}, func(t *testing.T, _ *netSite, client func() *syncJS) {
		a := client()
		a.install("chess", 1000)
		a.sync(t)
		a.sync(t)
		lost.Store = new(syncproto.Memory)
		if err := a.syncNow(false); !errors.Is(err, errUUIDChanged) {
			t.Fatal(err)
		}
		a.sync(t)
		b := client()
		if b.sync(t); b.has() != "chess" {
			t.Errorf("b has %s: a did not put it again", b.has())
		}
	})
}

type swapped struct{ syncproto.Store }

// A refusal is an error to the caller and no more: it stays logged in, and comes
// back as usual.
func TestOriginalMeetsLimits(t *testing.T) {
	for name, c := range map[string]syncproto.Config{
		"413": {Limits: syncproto.Limits{Apps: 1}},
		"403": {Quota: syncproto.Quota{Apps: 1}},
		"400": {Limits: syncproto.Limits{Doc: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, c, func(t *testing.T, _ *netSite, client func() *syncJS) {
				a := client()
				a.install("chess", 1000)
				a.install("mail", 1000)
				if err := a.schedule(); !errors.Is(err, errStatus) || !a.loggedIn || a.dead || !slices.Equal(a.timers, []time.Duration{jsPeriod}) {
					t.Errorf("%v, logged in %t, timers %v", err, a.loggedIn, a.timers)
				}
			})
		})
	}
}

// What the statuses and headers do to when it comes back. The timer of a header
// is overwritten at the end of the same sync, so that a hint does not change the
// interval, and a bare 5xx does.
func TestOriginalComesBack(t *testing.T) {
	seconds := func(all ...int) (d []time.Duration) {
		for _, s := range all {
			d = append(d, time.Duration(s)*time.Second)
		}
		return d
	}
	for _, c := range []struct {
		status    int
		header    string
		value     string
		want      []time.Duration
		loggedOut bool
		followed  []time.Duration // by the same again
	}{
		{status: 200, want: seconds(300), followed: seconds(300)},
		{status: 200, header: "X-Sync-Poll-Time", value: "900", want: seconds(900, 300), followed: seconds(900, 300)},
		{status: 200, header: "X-Sync-Poll", value: "900", want: seconds(300), followed: seconds(300)},
		{status: 200, header: "X-Weave-Backoff", value: "900", want: seconds(300), followed: seconds(300)},
		{status: 200, header: "X-Sync-Poll-Time", value: "5", want: seconds(30, 300), followed: seconds(30, 300)},
		{status: 200, header: "X-Sync-Poll-Time", value: "172801", want: seconds(300), followed: seconds(300)},
		{status: 503, header: "Retry-After", value: "700", want: seconds(700, 300), followed: seconds(700, 300)},
		{status: 503, header: "Retry-After", value: "30.9", want: seconds(30, 300), followed: seconds(30, 300)},
		{status: 503, header: "Retry-After", value: "Sat, 01 Jan 2000 00:15:00 GMT", want: seconds(900, 300), followed: seconds(900, 300)},
		{status: 503, want: seconds(600), followed: seconds(900)},
		{status: 401, want: nil, loggedOut: true},
		{status: 401, header: "Retry-After", value: "60", want: seconds(60), loggedOut: true},
		{status: 304, want: seconds(300), followed: seconds(300)},
		{status: 412, want: seconds(300), followed: seconds(300)},
		{status: 413, want: seconds(300), followed: seconds(300)},
		{status: 429, want: seconds(300), followed: seconds(300)},
	} {
		t.Run(strings.TrimSpace(fmt.Sprint(c.status, " ", c.header, " ", c.value)), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := middle(t, syncproto.Config{}, func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if c.header != "" && r.Method == "GET" {
							w.Header().Set(c.header, c.value)
						}
						if c.status == 200 || r.Method != "GET" {
							h.ServeHTTP(w, r)
							return
						}
						w.WriteHeader(c.status)
					})
				})
				a := newSyncJS(s)
				a.logIn("ann@example.com")
				err := a.schedule()
				if (err == nil) != (c.status == 200) || !slices.Equal(a.timers, c.want) || a.loggedIn == c.loggedOut || a.dead != (c.loggedOut && c.want == nil) {
					t.Errorf("%v, timers %v, logged in %t, dead %t; want timers %v", err, a.timers, a.loggedIn, a.dead, c.want)
				}
				if c.loggedOut {
					if err := a.schedule(); !errors.Is(err, errNotLoggedIn) {
						t.Errorf("after that: %v", err)
					}
					return
				}
				a.schedule()
				if !slices.Equal(a.timers, c.followed) {
					t.Errorf("and again: timers %v, want %v", a.timers, c.followed)
				}
			})
		})
	}
}

// What it makes of an app that comes, by what it has of it.
func TestOriginalApplies(t *testing.T) {
	for _, c := range []struct {
		name  string
		local func(a *syncJS)
		push  string // by another device
		want  string // that a has then
		back  string // that a pushes in turn
	}{
		{"an unknown app is added", func(*syncJS) {}, `[{"origin":"x","last_modified":5000}]`, "x", ""},
		{"an unknown deletion is nothing", func(*syncJS) {}, `[{"origin":"x","last_modified":5000,"deleted":true}]`, "", ""},
		{"a newer deletion uninstalls, and is echoed once", func(a *syncJS) { a.install("x", 4000) }, `[{"origin":"x","last_modified":5000,"deleted":true}]`, "", `[{"origin":"x","last_modified":5001,"deleted":true}]`},
		{"an older deletion is nothing", func(a *syncJS) { a.install("x", 6000) }, `[{"origin":"x","last_modified":5000,"deleted":true}]`, "x", `[{"origin":"x","last_modified":6000}]`},
		{"a newer app undoes a local deletion", func(a *syncJS) { a.uninstall("x", 4000) }, `[{"origin":"x","last_modified":5000}]`, "x", ""},
		{"an older app does not", func(a *syncJS) { a.uninstall("x", 6000) }, `[{"origin":"x","last_modified":5000}]`, "", `[{"origin":"x","last_modified":6000,"deleted":true}]`},
		{"a newer app of what it has is dropped", func(a *syncJS) { a.install("x", 4000) }, `[{"origin":"x","last_modified":5000,"v":2}]`, "x", `[{"origin":"x","last_modified":4000}]`},
		{"last_modified in seconds is a number like any", func(*syncJS) {}, `[{"origin":"x","last_modified":1323084512.1}]`, "x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pushed := ""
				s := middle(t, syncproto.Config{}, func(h http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.Method == "POST" && strings.HasSuffix(r.URL.Path, "/apps") {
							b, err := io.ReadAll(r.Body)
							if err != nil {
								t.Error(err)
							}
							pushed = string(b)
							r.Body = io.NopCloser(strings.NewReader(pushed))
						}
						h.ServeHTTP(w, r)
					})
				})
				other := s.login("ann@example.com")
				if status, text := other.text("POST", "", c.push); status != 200 {
					t.Fatal(text)
				}
				a := newSyncJS(s)
				a.logIn("ann@example.com")
				c.local(a)
				pushed = ""
				a.sync(t)
				if a.has() != c.want || pushed != c.back {
					t.Errorf("it has %q and pushed %q, want %q and %q", a.has(), pushed, c.want, c.back)
				}
				pushed = ""
				if a.sync(t); pushed != "" {
					t.Errorf("and then it pushed %q again", pushed)
				}
			})
		})
	}
}
