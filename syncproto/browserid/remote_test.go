package browserid_test

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

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/browserid"
)

type service func(*http.Request) (*http.Response, error)

func (s service) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func answers(status int, body string) browserid.Remote {
	return browserid.Remote{URL: "https://verifier.example/verify", Client: &http.Client{Transport: service(
		func(r *http.Request) (*http.Response, error) {
			if r.Method != "POST" || r.FormValue("assertion") != "a~b" || r.FormValue("audience") != "https://site" {
				return nil, errors.New("not the request that the protocol has")
			}
			return &http.Response{
				StatusCode: status, Status: http.StatusText(status), Request: r,
				Body: io.NopCloser(strings.NewReader(body)),
			}, nil
		})}}
}

func TestRemote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		year9999 := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		for expires, want := range map[string]time.Time{
			``:                        {}, // it doesn't say
			`,"expires":null`:         {},
			expiring(0):               time.Now(),
			expiring(2 * time.Minute): time.Now().Add(2 * time.Minute),
			`,"expires":1e300`:        year9999,
		} {
			r := answers(200, `{"status":"okay","email":"ann@example.com","audience":"https://site","issuer":"example.com"`+expires+`}`)
			id, err := r.Verify(t.Context(), "a~b", "https://site")
			if err != nil || id.Email != "ann@example.com" || id.Issuer != "example.com" || id.Development || !id.Expires.Equal(want) {
				t.Errorf("%s: got %+v, %v; want one that expires at %v", expires, id, err, want)
			}
		}
	})
}

// An okay for what is over is none, be it the service's clock that is wrong, or
// an answer that a cache on the way has kept.
func TestRemoteExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, expires := range []string{expiring(-time.Millisecond), expiring(-time.Hour), `,"expires":0`, `,"expires":-1`, `,"expires":-1e300`} {
			id, err := answers(200, `{"status":"okay","email":"ann@example.com","audience":"https://site"`+expires+`}`).Verify(t.Context(), "a~b", "https://site")
			if err != browserid.ErrExpired || id != (syncproto.Identity{}) {
				t.Errorf("%s: got %+v, %v; want %v", expires, id, err, browserid.ErrExpired)
			}
		}
		// It may be over by the time that the answer comes.
		slow := answers(200, `{"status":"okay","email":"ann@example.com","audience":"https://site"`+expiring(time.Second)+`}`)
		slow.Client.Transport = late{slow.Client.Transport}
		if id, err := slow.Verify(t.Context(), "a~b", "https://site"); err != browserid.ErrExpired {
			t.Errorf("a late answer: got %+v, %v; want %v", id, err, browserid.ErrExpired)
		}
	})
}

// expiring is the field of an answer that says so, so long from now.
func expiring(in time.Duration) string {
	return fmt.Sprintf(`,"expires":%d`, time.Now().Add(in).UnixMilli())
}

// late is a service that takes two seconds.
type late struct{ http.RoundTripper }

func (l late) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(2 * time.Second)
	return l.RoundTripper.RoundTrip(r)
}

func TestRemoteRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		bad    bool // the assertion, rather than the service
	}{
		"failure":               {200, `{"status":"failure","reason":"it smells"}`, true},
		"failure with a 4xx":    {400, `{"status":"failure","reason":"malformed"}`, true},
		"another audience":      {200, `{"status":"okay","email":"ann@example.com","audience":"https://evil"}`, true},
		"okay with a 5xx":       {500, `{"status":"okay","email":"ann@example.com","audience":"https://site"}`, false},
		"no e-mail":             {200, `{"status":"okay","audience":"https://site"}`, false},
		"not an e-mail":         {200, `{"status":"okay","email":"ann","audience":"https://site"}`, false},
		"unknown status":        {200, `{"status":"maybe","email":"ann@example.com","audience":"https://site"}`, false},
		"page of a wrong URL":   {404, `<html>`, false},
		"nothing":               {200, ``, false},
		"answer without an end": {200, `{"status":"` + strings.Repeat("o", 1<<20), false},
	} {
		id, err := answers(c.status, c.body).Verify(context.Background(), "a~b", "https://site")
		if err == nil {
			t.Errorf("%s: accepted %+v", name, id)
			continue
		}
		if got := errors.Is(err, syncproto.ErrBadAssertion); got != c.bad {
			t.Errorf("%s: error %v counts as a bad assertion: %v, want %v", name, err, got, c.bad)
		}
		if strings.Contains(err.Error(), "smells") {
			t.Errorf("%s: error %q repeats the service's reason", name, err)
		}
	}
}

func TestRemoteHonoursContext(t *testing.T) {
	r := browserid.Remote{URL: "https://verifier.example", Client: &http.Client{Transport: service(
		func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })}}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := r.Verify(ctx, "a~b", "https://site")
	if !errors.Is(err, context.Canceled) || errors.Is(err, syncproto.ErrBadAssertion) {
		t.Errorf("error %v, want context.Canceled from the backend", err)
	}
}
