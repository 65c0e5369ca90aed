package backoff_test

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

func fixed(v backoff.Value) func() backoff.Value { return func() backoff.Value { return v } }

func ease(t testing.TB, p backoff.Policy, next http.HandlerFunc) http.Handler {
	t.Helper()
	mw, err := p.Middleware()
	if err != nil {
		t.Fatal(err)
	}
	return mw(next)
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func answer(h http.Handler, method, target string) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result()
}

// hints are the headers of a response that ask a client to wait.
func hints(r *http.Response) map[string]string {
	got := map[string]string{}
	for _, k := range []string{backoff.SyncPoll, backoff.SyncPollTime, backoff.WeaveBackoff, backoff.XBackoff, backoff.Backoff, backoff.RetryAfter} {
		if v := r.Header.Values(k); len(v) > 0 {
			got[k] = strings.Join(v, "|")
		}
	}
	return got
}

func TestWhichResponsesCarryWhichHeaders(t *testing.T) {
	type want = map[string]string
	both := want{"X-Sync-Poll": "20", "X-Sync-Poll-Time": "20"}
	weave := []string{"x-weave-backoff", "X-Backoff"}
	for _, c := range []struct {
		name   string
		policy backoff.Policy
		value  backoff.Value
		method string
		next   http.HandlerFunc
		want   want
	}{
		{"a GET that succeeds", backoff.Policy{}, seconds(20), "GET", status(200), both},
		{"a handler that writes nothing", backoff.Policy{}, seconds(20), "GET", func(http.ResponseWriter, *http.Request) {}, both},
		{"a HEAD", backoff.Policy{}, seconds(20), "HEAD", status(200), both},
		{"a poll that finds nothing new", backoff.Policy{}, seconds(20), "GET", status(304), both},
		{"a POST", backoff.Policy{}, seconds(20), "POST", status(200), want{}},
		{"a login that failed", backoff.Policy{}, seconds(20), "GET", status(401), want{}},
		{"an error", backoff.Policy{}, seconds(20), "GET", status(500), want{}},
		{"a redirect", backoff.Policy{}, seconds(20), "GET", status(302), want{}},
		{"a 503", backoff.Policy{}, seconds(20), "GET", status(503), want{"Retry-After": "20"}},
		{"a 429 to a POST", backoff.Policy{}, seconds(20), "POST", status(429), want{"Retry-After": "20"}},
		{"a 503 with no value", backoff.Policy{}, backoff.Value{}, "GET", status(503), want{}},
		{"a 503 with a floor", backoff.Policy{RetryAfter: time.Minute}, backoff.Value{}, "GET", status(503), want{"Retry-After": "60"}},
		{"the longer of floor and value", backoff.Policy{RetryAfter: time.Minute}, seconds(90), "GET", status(503), want{"Retry-After": "90"}},
		{"a floor is for refusals only", backoff.Policy{RetryAfter: time.Minute}, backoff.Value{}, "GET", status(200), want{}},
		{"Weave on any response", backoff.Policy{Headers: weave}, seconds(20), "POST", status(400), want{"X-Weave-Backoff": "20", "X-Backoff": "20"}},
		{"Kinto's", backoff.Policy{Headers: []string{"Backoff"}}, seconds(20), "PUT", status(201), want{"Backoff": "20"}},
		{"only the documented one", backoff.Policy{Headers: []string{"X-Sync-Poll"}}, seconds(20), "GET", status(200), want{"X-Sync-Poll": "20"}},
		{"no headers at all", backoff.Policy{Headers: []string{}}, seconds(20), "GET", status(200), want{}},
		{"a fraction rounds up", backoff.Policy{}, backoff.Value{Interval: 1}, "GET", status(200), want{"X-Sync-Poll": "1", "X-Sync-Poll-Time": "1"}},
		{"what clients would ignore", backoff.Policy{}, backoff.Value{Interval: 1000 * time.Hour}, "GET", status(200), want{"X-Sync-Poll": "172800", "X-Sync-Poll-Time": "172800"}},
		{"all refused", backoff.Policy{}, backoff.Value{Unavailable: 1}, "GET", status(200), want{"Retry-After": "120"}},
		{"all refused with an interval", backoff.Policy{}, backoff.Value{Interval: time.Second, Unavailable: 1}, "GET", status(200), want{"Retry-After": "1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.policy.Current = fixed(c.value)
			if got := hints(answer(ease(t, c.policy, c.next), c.method, "/")); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestTheHandlersOwnHeadersStay(t *testing.T) {
	for _, c := range []struct {
		name string
		set  http.Header
		code int
		want map[string]string
	}{
		{"its own poll", http.Header{"X-Sync-Poll": {"7"}}, 200, map[string]string{"X-Sync-Poll": "7", "X-Weave-Backoff": "20"}},
		{"the other of the pair", http.Header{"X-Sync-Poll-Time": {"7"}}, 200, map[string]string{"X-Sync-Poll-Time": "7", "X-Weave-Backoff": "20"}},
		{"none, in net/http's way", http.Header{"X-Sync-Poll": nil}, 200, map[string]string{"X-Weave-Backoff": "20"}},
		{"a relative that the policy does not send", http.Header{"X-Backoff": {"7"}}, 200, map[string]string{"X-Sync-Poll": "20", "X-Sync-Poll-Time": "20", "X-Backoff": "7"}},
		{"its own Retry-After", http.Header{"Retry-After": {"Sat, 21 Nov 2026 03:22:00 GMT"}}, 503, map[string]string{"Retry-After": "Sat, 21 Nov 2026 03:22:00 GMT", "X-Weave-Backoff": "20"}},
		{"no Retry-After", http.Header{"Retry-After": nil}, 429, map[string]string{"X-Weave-Backoff": "20"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := ease(t, backoff.Policy{
				Current: fixed(seconds(20)),
				Headers: []string{"X-Sync-Poll", "X-Sync-Poll-Time", "X-Weave-Backoff"},
			}, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.set {
					w.Header()[k] = v
				}
				w.WriteHeader(c.code)
			})
			if got := hints(answer(h, "GET", "/")); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestJitterOnlyLengthensAndHeadersAgree(t *testing.T) {
	h := ease(t, backoff.Policy{
		Current: fixed(seconds(1000)),
		Headers: []string{"X-Sync-Poll", "X-Weave-Backoff", "X-Backoff"},
		Jitter:  0.25,
		Seed:    7,
	}, status(200))
	lowest, highest, sum := math.MaxInt, 0, 0
	const n = 2000
	for range n {
		got := hints(answer(h, "GET", "/"))
		if got["X-Sync-Poll"] != got["X-Weave-Backoff"] || got["X-Backoff"] != got["X-Weave-Backoff"] {
			t.Fatalf("headers of one response disagree: %v", got)
		}
		v, _ := strconv.Atoi(got["X-Sync-Poll"])
		lowest, highest, sum = min(lowest, v), max(highest, v), sum+v
	}
	if lowest < 1000 || lowest > 1005 || highest > 1250 || highest < 1245 || sum/n < 1115 || sum/n > 1135 {
		t.Errorf("of 1000 s with a quarter of jitter came %d to %d, %d on average", lowest, highest, sum/n)
	}
}

func TestClientKeepsItsJitter(t *testing.T) {
	policy := backoff.Policy{
		Current: fixed(seconds(1000)),
		Jitter:  1,
		Client:  func(r *http.Request) string { return r.URL.Query().Get("device") },
		Seed:    1,
	}
	one, other := ease(t, policy, status(200)), ease(t, policy, status(200))
	different := map[string]bool{}
	for i := range 100 {
		target := fmt.Sprintf("/?device=%d", i)
		first := hints(answer(one, "GET", target))["X-Sync-Poll"]
		if again := hints(answer(other, "GET", target))["X-Sync-Poll"]; again != first {
			t.Errorf("%s was told %s by one server and %s by the other", target, first, again)
		}
		different[first] = true
	}
	if len(different) < 80 {
		t.Errorf("100 devices share %d intervals", len(different))
	}
	anonymous := map[string]bool{}
	for range 100 {
		anonymous[hints(answer(one, "GET", "/"))["X-Sync-Poll"]] = true
	}
	if len(anonymous) < 80 {
		t.Errorf("requests without a name drew only %d intervals in 100", len(anonymous))
	}
}

func TestSharesAreKept(t *testing.T) {
	var carried, refused, n = 0, 0, 4000
	var events journal
	h := ease(t, backoff.Policy{
		Current: fixed(backoff.Value{Interval: time.Minute, Probability: 0.25, Unavailable: 0.1}),
		Exempt:  []string{"/heartbeat", "/admin/"},
		Seed:    3,
		OnEvent: events.add,
	}, status(200))
	for range n {
		r := answer(h, "GET", "/x")
		if r.StatusCode == 503 {
			refused++
		} else if r.Header.Get("X-Sync-Poll") != "" {
			carried++
		}
	}
	if share := float64(refused) / float64(n); share < 0.08 || share > 0.12 {
		t.Errorf("refused %.3f of the requests, want 0.1", share)
	}
	if share := float64(carried) / float64(n-refused); share < 0.22 || share > 0.28 {
		t.Errorf("%.3f of the responses carry the interval, want 0.25", share)
	}
	counts := map[string]int{}
	for _, e := range events.take() {
		counts[string(e.Kind)+" "+e.Header]++
	}
	if want := map[string]int{"shed ": refused, "header_sent Retry-After": refused, "header_sent X-Sync-Poll": carried}; !reflect.DeepEqual(counts, want) {
		t.Errorf("events %v, want %v", counts, want)
	}
	for _, path := range []string{"/heartbeat", "/admin/", "/admin/x/y"} {
		for range 200 {
			if code := answer(h, "GET", path).StatusCode; code != 200 {
				t.Fatalf("%s is exempt and got %d", path, code)
			}
		}
	}
}

func TestRefuseAnswers(t *testing.T) {
	policy := backoff.Policy{Current: fixed(backoff.Value{Unavailable: 1, Interval: time.Minute})}
	r := answer(ease(t, policy, status(200)), "GET", "/")
	if r.StatusCode != 503 || r.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("default refusal: %d %v", r.StatusCode, r.Header)
	}
	policy.Refuse = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r = answer(ease(t, policy, status(200)), "GET", "/")
	if got := r.Header.Get("Retry-After"); got != "5" {
		t.Errorf("Refuse's Retry-After became %s", got)
	}
}

func TestMiddlewareRefusesNonsense(t *testing.T) {
	for want, p := range map[string]backoff.Policy{
		`backoff: Policy.Headers has "X Sync": it is not a header name`:                           {Headers: []string{"X Sync"}},
		`backoff: Policy.Headers has "": it is not a header name`:                                 {Headers: []string{""}},
		"backoff: Policy.Headers has Retry-After: it is sent on 503 and 429 without being listed": {Headers: []string{"retry-after"}},
		"backoff: Policy.RetryAfter is -1s: it must not be negative":                              {RetryAfter: -time.Second},
		"backoff: Policy.Jitter is -0.1: it must be a fraction of the interval, from 0 to 10":     {Jitter: -0.1},
		"backoff: Policy.Jitter is NaN: it must be a fraction of the interval, from 0 to 10":      {Jitter: math.NaN()},
	} {
		if _, err := p.Middleware(); err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	}
}

func TestTheZeroPolicyDoesNothing(t *testing.T) {
	var seen http.ResponseWriter
	h := ease(t, backoff.Policy{}, func(w http.ResponseWriter, _ *http.Request) { seen = w })
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if seen != http.ResponseWriter(w) {
		t.Errorf("the handler got a %T", seen)
	}
}

// The store hangs, the reading of it hangs, and no request waits a nanosecond.
func TestNoRequestWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(flaky)
		store.Set(t.Context(), seconds(20))
		source := start(t, backoff.SourceConfig{Store: store, Timeout: time.Hour})
		h := ease(t, backoff.Policy{Current: source.Current}, status(200))
		store.freeze(true)
		time.Sleep(2 * time.Second)
		readings := len(store.times())
		before := time.Now()
		for range 1000 {
			if got := answer(h, "GET", "/").Header.Get("X-Sync-Poll"); got != "20" {
				t.Fatalf("X-Sync-Poll %q", got)
			}
		}
		if waited := time.Since(before); waited != 0 {
			t.Errorf("a thousand requests waited %v", waited)
		}
		if n := len(store.times()) - readings; n != 0 {
			t.Errorf("a thousand requests read the store %d times", n)
		}
	})
}
