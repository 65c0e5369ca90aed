package browserid_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
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
	r := answers(200, `{"status":"okay","email":"ann@example.com","audience":"https://site","expires":1700000000000,"issuer":"example.com"}`)
	id, err := r.Verify(context.Background(), "a~b", "https://site")
	want := syncproto.Identity{Email: "ann@example.com", Issuer: "example.com", Expires: time.UnixMilli(1700000000000)}
	if err != nil || id != want {
		t.Errorf("got %+v, %v; want %+v", id, err, want)
	}
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
