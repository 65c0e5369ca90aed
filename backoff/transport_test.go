package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// service is the other side of a transport: it answers with a function and
// notes when it was asked, and by whom at once.
type service struct {
	answer func(n int, r *http.Request) (*http.Response, error) // the n-th, from 0

	mu  sync.Mutex
	at  []time.Duration // since the first
	t0  time.Time
	url []string
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	if s.t0.IsZero() {
		s.t0 = time.Now()
	}
	n := len(s.at)
	s.at = append(s.at, time.Since(s.t0))
	s.url = append(s.url, r.URL.String())
	s.mu.Unlock()
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return s.answer(n, r)
}

func (s *service) times() []time.Duration { s.mu.Lock(); defer s.mu.Unlock(); return s.at }

func reply(r *http.Request, code int, header ...string) (*http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Add(header[i], header[i+1])
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// refusesFirst refuses n requests for 20 seconds each, then serves.
func refusesFirst(n int) *service {
	return &service{answer: func(i int, r *http.Request) (*http.Response, error) {
		if i < n {
			return reply(r, 503, "Retry-After", "20")
		}
		return reply(r, 200)
	}}
}

func send(ctx context.Context, t *backoff.Transport, target string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", target, nil)
	if err != nil {
		return nil, err
	}
	return (&http.Client{Transport: t}).Do(r)
}

const example = "http://example.org/"

func TestAfterARefusalNothingIsSentUntilItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := refusesFirst(1)
		tr := &backoff.Transport{Base: s, Jitter: -1}
		for _, want := range []int{503, 200, 200} {
			if r, err := send(t.Context(), tr, example); err != nil || r.StatusCode != want {
				t.Errorf("got %v, %v, want %d", r, err, want)
			}
		}
		if got := fmt.Sprint(s.times()); got != "[0s 20s 20s]" {
			t.Errorf("sent at %s", got)
		}
	})
}

func TestAHintOnWhatWasServedKeepsBackWhatCanWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(i int, r *http.Request) (*http.Response, error) {
			if i == 0 {
				return reply(r, 200, "X-Sync-Poll", "20")
			}
			return reply(r, 200)
		}}
		tr := &backoff.Transport{Base: s, Jitter: -1}
		later := backoff.Deferrable(t.Context())
		send(later, tr, example)
		send(t.Context(), tr, example)
		send(later, tr, example)
		if got := fmt.Sprint(s.times()); got != "[0s 0s 20s]" {
			t.Errorf("sent at %s", got)
		}
	})
}

// A thousand goroutines are refused: they wait together, one of them asks
// again, is refused again, they all wait again, and only when one is served do
// the others follow.
func TestAStampedeIsOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(i int, r *http.Request) (*http.Response, error) {
			time.Sleep(100 * time.Millisecond)
			if i < 3 {
				return reply(r, 503, "Retry-After", "20")
			}
			return reply(r, 200)
		}}
		tr := &backoff.Transport{Base: s, Jitter: -1}
		if r, err := send(t.Context(), tr, example); err != nil || r.StatusCode != 503 {
			t.Fatal(r, err)
		}
		var wg sync.WaitGroup
		codes := make(chan int, 1000)
		for range 1000 {
			wg.Go(func() {
				r, err := send(t.Context(), tr, example)
				if err != nil {
					t.Error(err)
					return
				}
				codes <- r.StatusCode
			})
		}
		wg.Wait()
		close(codes)
		count := map[int]int{}
		for c := range codes {
			count[c]++
		}
		if count[503] != 2 || count[200] != 998 {
			t.Errorf("answers %v, want two that were refused on behalf of all", count)
		}
		at := s.times()
		want := []time.Duration{0, 20100 * time.Millisecond, 40200 * time.Millisecond, 60300 * time.Millisecond, 60400 * time.Millisecond}
		for i, w := range want {
			if at[i] != w {
				t.Errorf("request %d was sent at %v, want %v", i, at[i], w)
			}
		}
		if last := at[len(at)-1]; last != 60400*time.Millisecond {
			t.Errorf("the last one was sent at %v", last)
		}
	})
}

// The first after a wait may be a long poll, or its connection may fail.
func TestTheFirstAfterAWaitHoldsUpTheOthersNoLongerThanTwoSeconds(t *testing.T) {
	for name, c := range map[string]struct {
		first func(r *http.Request) (*http.Response, error)
		want  string
	}{
		"slow":   {func(r *http.Request) (*http.Response, error) { time.Sleep(time.Minute); return reply(r, 200) }, "[0s 20s 22s 22s]"},
		"failed": {func(r *http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }, "[0s 20s 20s 20s]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{answer: func(i int, r *http.Request) (*http.Response, error) {
					switch i {
					case 0:
						return reply(r, 429, "Retry-After", "20")
					case 1:
						return c.first(r)
					}
					return reply(r, 200)
				}}
				tr := &backoff.Transport{Base: s, Jitter: -1}
				send(t.Context(), tr, example)
				var wg sync.WaitGroup
				for range 3 {
					wg.Go(func() { send(t.Context(), tr, example) })
				}
				wg.Wait()
				if got := fmt.Sprint(s.times()); got != c.want {
					t.Errorf("sent at %s, want %s", got, c.want)
				}
			})
		})
	}
}

// A request that waits for the first one's answer waits no longer than it may.
func TestMaxWaitHoldsForThoseThatFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(i int, r *http.Request) (*http.Response, error) {
			if i == 0 {
				return reply(r, 503, "Retry-After", "20")
			}
			time.Sleep(5 * time.Second)
			return reply(r, 200)
		}}
		tr := &backoff.Transport{Base: s, Jitter: -1, MaxWait: 100 * time.Millisecond}
		send(t.Context(), tr, example)
		time.Sleep(20 * time.Second)
		go send(t.Context(), tr, example)
		synctest.Wait()
		start := time.Now()
		_, err := send(t.Context(), tr, example)
		var held *backoff.WaitError
		if !errors.As(err, &held) || !errors.Is(err, backoff.ErrHeld) || time.Since(start) != 100*time.Millisecond {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		time.Sleep(time.Minute)
	})
}

func TestContextsAreHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := &backoff.Transport{Base: refusesFirst(1), Jitter: -1}
		send(t.Context(), tr, example)

		before := time.Now()
		short, cancel := context.WithTimeout(t.Context(), 19*time.Second)
		defer cancel()
		_, err := send(short, tr, example)
		var held *backoff.WaitError
		if !errors.As(err, &held) || !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != 0 {
			t.Errorf("deadline before the end of the wait: %v after %v", err, time.Since(before))
		}
		if held.Origin != "http://example.org" || !held.NotBefore.Equal(before.Add(20*time.Second)) || held.Soft || !held.Timeout() {
			t.Errorf("error %+v", held)
		}
		var timeout *url.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("http.Client does not see a timeout in %v", err)
		}

		canceled, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := send(canceled, tr, example); !errors.As(err, &held) || !errors.Is(err, context.Canceled) || time.Since(before) != time.Second {
			t.Errorf("canceled while waiting: %v after %v", err, time.Since(before))
		}

		long, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if r, err := send(long, tr, example); err != nil || r.StatusCode != 200 || time.Since(before) != 20*time.Second {
			t.Errorf("deadline after the end of the wait: %v, %v after %v", r, err, time.Since(before))
		}
	})
}

func TestModes(t *testing.T) {
	for name, c := range map[string]struct {
		transport *backoff.Transport
		held      bool
		at        string
	}{
		"FailFast":     {&backoff.Transport{Mode: backoff.FailFast}, true, "[0s]"},
		"MaxWait":      {&backoff.Transport{MaxWait: 19 * time.Second}, true, "[0s]"},
		"long MaxWait": {&backoff.Transport{MaxWait: 20 * time.Second}, false, "[0s 20s]"},
		"HintOnly":     {&backoff.Transport{Mode: backoff.HintOnly}, false, "[0s 0s]"},
		"no key":       {&backoff.Transport{Key: func(*http.Request) string { return "" }}, false, "[0s 0s]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := refusesFirst(1)
				tr := c.transport
				tr.Base, tr.Jitter = s, -1
				send(t.Context(), tr, example)
				before := time.Now()
				_, err := send(t.Context(), tr, example)
				if errors.Is(err, backoff.ErrHeld) != c.held || c.held && time.Since(before) != 0 {
					t.Errorf("error %v after %v", err, time.Since(before))
				}
				if got := fmt.Sprint(s.times()); got != c.at {
					t.Errorf("sent at %s, want %s", got, c.at)
				}
				if tr.Mode == backoff.HintOnly && !tr.NotBefore("http://example.org", false).Equal(before.Add(20*time.Second)) {
					t.Errorf("NotBefore is %v", tr.NotBefore("http://example.org", false))
				}
			})
		})
	}
}

func TestHoldsOnlyGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(i int, r *http.Request) (*http.Response, error) {
			return reply(r, 200, "X-Sync-Poll", []string{"100", "5"}[min(i, 1)])
		}}
		tr := &backoff.Transport{Base: s, Jitter: -1}
		send(t.Context(), tr, example)
		send(t.Context(), tr, example)
		if left := time.Until(tr.NotBefore("http://example.org", true)); left != 100*time.Second {
			t.Errorf("after 100 and 5 seconds, %v are left", left)
		}
		if !tr.NotBefore("http://example.org", false).IsZero() {
			t.Error("a soft hold counts for a request that cannot wait")
		}
	})
}

func TestJitterLengthensAHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		different := map[time.Duration]bool{}
		for range 50 {
			tr := &backoff.Transport{Base: refusesFirst(1)}
			send(t.Context(), tr, example)
			left := time.Until(tr.NotBefore("http://example.org", false))
			if left < 20*time.Second || left > 25*time.Second {
				t.Errorf("a wait of 20 s became %v", left)
			}
			different[left] = true
		}
		if len(different) < 40 {
			t.Errorf("50 clients share %d waits", len(different))
		}
	})
}

func TestARedirectSlowsDownOnlyWhoSentIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(i int, r *http.Request) (*http.Response, error) {
			if r.URL.Host == "old.example" {
				return reply(r, 301, "Location", "http://new.example/", "X-Backoff", "1000", "Retry-After", "500")
			}
			return reply(r, 200)
		}}
		tr := &backoff.Transport{Base: s, Jitter: -1}
		later := backoff.Deferrable(t.Context())
		if r, err := send(later, tr, "http://old.example/"); err != nil || r.Request.URL.Host != "new.example" {
			t.Fatal(r, err)
		}
		if r, err := send(later, tr, "http://new.example:80/"); err != nil || r.StatusCode != 200 {
			t.Fatal(r, err)
		}
		if got := fmt.Sprint(s.times()); got != "[0s 0s 0s]" {
			t.Errorf("sent at %s", got)
		}
		if left := time.Until(tr.NotBefore("http://old.example", true)); left != 1000*time.Second {
			t.Errorf("the old host's hold: %v", left)
		}
	})
}

func TestHoldsSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept []backoff.Hold
		s := refusesFirst(1)
		before := &backoff.Transport{Base: s, Jitter: -1, Persist: func(h backoff.Hold) { kept = append(kept, h) }}
		send(t.Context(), before, example)
		if len(kept) != 1 {
			t.Fatalf("kept %+v", kept)
		}
		time.Sleep(5 * time.Second)

		after := &backoff.Transport{Base: s}
		after.Restore(kept...)
		after.Restore(
			backoff.Hold{Origin: "http://past.example", NotBefore: time.Now().Add(-time.Second)},
			backoff.Hold{Origin: "http://far.example", NotBefore: time.Now().Add(1000 * time.Hour)},
		)
		send(t.Context(), after, example)
		if got := fmt.Sprint(s.times()); got != "[0s 20s]" {
			t.Errorf("sent at %s", got)
		}
		if !after.NotBefore("http://past.example", false).IsZero() {
			t.Error("a hold that has passed was restored")
		}
		if left := time.Until(after.NotBefore("http://far.example", false)); left > 48*time.Hour || left < 47*time.Hour {
			t.Errorf("a hold of 1000 hours was restored as %v", left)
		}
	})
}

// What was restored is a time of the wall clock, which may be set to another one later.
func TestARestoredHoldDoesNotFollowTheWallClock(t *testing.T) {
	var tr backoff.Transport
	until := time.Now().Add(time.Hour).Round(0) // as read from a file
	tr.Restore(backoff.Hold{Origin: "http://example.org", NotBefore: until})
	if got := tr.NotBefore("http://example.org", false); !got.Equal(until) || !strings.Contains(got.String(), " m=+") {
		t.Errorf("held until %v, want %v with a monotonic reading", got, until)
	}
}

type idleCounter struct {
	http.RoundTripper
	closed int
}

func (c *idleCounter) CloseIdleConnections() { c.closed++ }

func TestIdleConnectionsCanBeClosed(t *testing.T) {
	var base idleCounter
	(&http.Client{Transport: &backoff.Transport{Base: &base}}).CloseIdleConnections()
	if base.closed != 1 {
		t.Error("the client's CloseIdleConnections did not reach Base")
	}
}

func TestManyOriginsAreForgottenShortestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answer: func(i int, r *http.Request) (*http.Response, error) {
			return reply(r, 200, "X-Backoff", fmt.Sprint(i+1))
		}}
		tr := &backoff.Transport{Base: s, Jitter: -1}
		const most = 1000
		for i := range most + 10 {
			send(t.Context(), tr, fmt.Sprintf("http://%d.example/", i))
		}
		known := 0
		for i := range most + 10 {
			if !tr.NotBefore(fmt.Sprintf("http://%d.example", i), true).IsZero() {
				known++
			}
		}
		if known != most || !tr.NotBefore("http://0.example", true).IsZero() || tr.NotBefore("http://1009.example", true).IsZero() {
			t.Errorf("%d origins are known", known)
		}
		time.Sleep(time.Hour)
		send(t.Context(), tr, "http://last.example/")
		for i := range most + 10 {
			if !tr.NotBefore(fmt.Sprintf("http://%d.example", i), true).IsZero() {
				t.Fatalf("origin %d, whose hold has passed, was kept when room was needed", i)
			}
		}
	})
}

// On a real clock, where everything takes a while.
func TestWhatDoesNotWaitIsNoEvent(t *testing.T) {
	var j journal
	tr := &backoff.Transport{Base: refusesFirst(0), OnEvent: j.add}
	if _, err := send(t.Context(), tr, example); err != nil {
		t.Fatal(err)
	}
	if events := j.take(); len(events) != 0 {
		t.Errorf("got %+v", events)
	}
}

func TestTransportEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events journal
		tr := &backoff.Transport{Base: refusesFirst(1), Jitter: -1, MaxWait: 19 * time.Second, OnEvent: events.add}
		send(t.Context(), tr, example)
		send(t.Context(), tr, example)
		time.Sleep(5 * time.Second)
		send(t.Context(), tr, example)
		var got []string
		for _, e := range events.take() {
			got = append(got, fmt.Sprint(e.Kind, " ", e.Origin, " ", e.Wait, " ", e.Err))
		}
		want := "held http://example.org 20s <nil>; not_sent http://example.org 20s the transport does not wait for that; waited http://example.org 15s <nil>"
		if strings.Join(got, "; ") != want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, "; "), want)
		}
	})
}
