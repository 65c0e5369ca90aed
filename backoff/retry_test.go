package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// steps are Delays.
type steps []time.Duration

func (s *steps) NextBackOff() time.Duration {
	if len(*s) == 0 {
		return -1
	}
	d := (*s)[0]
	*s = (*s)[1:]
	return d
}

func fallback(d ...time.Duration) func() backoff.Delays {
	return func() backoff.Delays { s := steps(d); return &s }
}

func TestWhatIsRepeated(t *testing.T) {
	const s = time.Second
	refuse := func(header ...string) func(int, *http.Request) (*http.Response, error) {
		return func(_ int, r *http.Request) (*http.Response, error) { return reply(r, 503, header...) }
	}
	failing := func(int, *http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }
	for _, c := range []struct {
		name    string
		retry   *backoff.Retry
		mode    backoff.Mode
		answer  func(int, *http.Request) (*http.Response, error)
		request func(*http.Request)
		timeout time.Duration
		at      string
	}{
		{name: "nothing by default", answer: refuse("Retry-After", "20"), at: "[0s]"},
		{name: "a refusal with a hint", retry: &backoff.Retry{}, answer: refuse("Retry-After", "20"), at: "[0s 20s 40s 1m0s]"},
		{name: "once", retry: &backoff.Retry{Attempts: 1}, answer: refuse("Retry-After", "20"), at: "[0s 20s]"},
		{name: "a refusal without a hint", retry: &backoff.Retry{}, answer: refuse(), at: "[0s]"},
		{name: "a refusal without a hint, with a fallback", retry: &backoff.Retry{Fallback: fallback(s, 2*s)}, answer: refuse(), at: "[0s 1s 3s]"},
		{name: "an error", retry: &backoff.Retry{}, answer: failing, at: "[0s]"},
		{name: "an error, with a fallback", retry: &backoff.Retry{Fallback: fallback(s, 2*s)}, answer: failing, at: "[0s 1s 3s]"},
		{name: "what was served", retry: &backoff.Retry{Fallback: fallback(s)}, answer: func(_ int, r *http.Request) (*http.Response, error) { return reply(r, 500) }, at: "[0s]"},
		{name: "in time only", retry: &backoff.Retry{}, answer: refuse("Retry-After", "20"), timeout: 30 * s, at: "[0s 20s]"},
		{name: "not when told to fail fast", retry: &backoff.Retry{}, mode: backoff.FailFast, answer: refuse("Retry-After", "20"), at: "[0s]"},
		{name: "not when hints are only noted", retry: &backoff.Retry{}, mode: backoff.HintOnly, answer: refuse("Retry-After", "20"), at: "[0s]"},
		{name: "a POST", retry: &backoff.Retry{}, answer: refuse("Retry-After", "20"), request: func(r *http.Request) { r.Method = "POST" }, at: "[0s]"},
		{name: "a POST with a key", retry: &backoff.Retry{Attempts: 1}, answer: refuse("Retry-After", "20"), request: func(r *http.Request) {
			r.Method = "POST"
			r.Header.Set("Idempotency-Key", "1")
		}, at: "[0s 20s]"},
		{name: "a body that cannot be read again", retry: &backoff.Retry{}, answer: refuse("Retry-After", "20"), request: func(r *http.Request) {
			r.Method = "PUT"
			r.Body = io.NopCloser(strings.NewReader("x"))
		}, at: "[0s]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := &service{answer: c.answer}
				tr := &backoff.Transport{Base: svc, Jitter: -1, Mode: c.mode, Retry: c.retry}
				ctx := t.Context()
				if c.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.timeout)
					defer cancel()
				}
				r, _ := http.NewRequestWithContext(ctx, "GET", example, nil)
				if c.request != nil {
					c.request(r)
				}
				response, err := tr.RoundTrip(r)
				if got := fmt.Sprint(svc.times()); got != c.at {
					t.Errorf("sent at %s, want %s", got, c.at)
				}
				// The caller gets the last answer, not an error about waiting.
				if failed := err != nil; failed != (c.name == "an error" || c.name == "an error, with a fallback") || !failed && response.StatusCode < 500 {
					t.Errorf("the caller got %v, %v", response, err)
				}
				if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestABodyIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		tr := &backoff.Transport{Jitter: -1, Retry: &backoff.Retry{}, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			r.Body.Close()
			bodies = append(bodies, string(b))
			if len(bodies) == 1 {
				return reply(r, 503, "Retry-After", "1")
			}
			return reply(r, 200)
		})}
		r, _ := http.NewRequestWithContext(t.Context(), "PUT", example, strings.NewReader("body"))
		if response, err := tr.RoundTrip(r); err != nil || response.StatusCode != 200 || fmt.Sprint(bodies) != "[body body]" {
			t.Errorf("%v, %v after %q", response, err, bodies)
		}
	})
}

// A refused response does not keep its connection for as long as the service asks
// for.
func TestAResponseIsGivenUpForTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &closing{Reader: strings.NewReader("come back later")}
		tr := &backoff.Transport{Jitter: -1, Retry: &backoff.Retry{}, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := reply(r, 503, "Retry-After", "3600")
			response.Body = refused
			return response, err
		})}
		ctx, cancel := context.WithCancel(t.Context())
		next := &closing{Reader: strings.NewReader("body")}
		r, _ := http.NewRequestWithContext(ctx, "PUT", example, strings.NewReader("body"))
		r.GetBody = func() (io.ReadCloser, error) { return next, nil }
		time.AfterFunc(time.Minute, func() {
			synctest.Wait()
			if !refused.closed {
				t.Error("a minute later its body is still open")
			}
			cancel()
		})
		var held *backoff.WaitError
		if _, err := tr.RoundTrip(r); !errors.As(err, &held) || !errors.Is(err, context.Canceled) || !next.closed {
			t.Errorf("given up while it waits: %v, body closed %v", err, next.closed)
		}
	})
}

// The body of a refusal is read for its connection's sake only: one that does not come
// must not hold up the repeat.
func TestARefusalThatDoesNotEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := refusesFirst(1)
		body, writer := io.Pipe()
		defer writer.Close()
		tr := &backoff.Transport{Jitter: -1, Retry: &backoff.Retry{}, Base: roundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := svc.RoundTrip(r)
			if response.StatusCode == 503 {
				response.Body = body
			}
			return response, err
		})}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		r, err := send(ctx, tr, example)
		if err != nil || r.StatusCode != 200 {
			t.Errorf("got %v, %v", r, err)
		}
		if got := fmt.Sprint(svc.times()); got != "[0s 20s]" {
			t.Errorf("sent at %s", got)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A service that fails for good gets little more than the requests themselves.
func TestRetriesAreRationed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &service{answer: func(_ int, r *http.Request) (*http.Response, error) { return reply(r, 503) }}
		delays := func() backoff.Delays { s := steps{0, 0, 0}; return &s }
		tr := &backoff.Transport{Base: svc, Jitter: -1, Retry: &backoff.Retry{Fallback: delays}}
		const n = 1000
		for range n {
			send(t.Context(), tr, example)
		}
		if repeats := len(svc.times()) - n; repeats < 100 || repeats > 111 {
			t.Errorf("%d requests were repeated %d times, want a tenth of them and the first ten", n, repeats)
		}
	})
}

// The body of a request that is not sent is closed, as RoundTrip must.
func TestTheBodyOfWhatIsNotSentIsClosed(t *testing.T) {
	tr := &backoff.Transport{Mode: backoff.FailFast}
	tr.Restore(backoff.Hold{Origin: "http://example.org", NotBefore: time.Now().Add(time.Hour)})
	body := &closing{Reader: strings.NewReader("x")}
	r, _ := http.NewRequest("POST", example, body)
	if _, err := tr.RoundTrip(r); !errors.Is(err, backoff.ErrHeld) || !body.closed {
		t.Errorf("error %v, closed %v", err, body.closed)
	}
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error { c.closed = true; return nil }
