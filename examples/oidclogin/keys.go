package oidclogin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// maxAnswer is how large a configuration or a set of keys may be.
const maxAnswer = 1 << 20

// keySet tells a signature that is not good from keys that could not be had,
// which go-oidc's verifier makes one text of.
type keySet struct{ oidc.KeySet }

type unansweredKey struct{}

// unanswered is where a keySet says why the issuer could not be asked.
type unanswered struct{ err error }

func (k keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	// A set of keys wraps what it met on its way to the issuer, and nothing else.
	if asked, ok := ctx.Value(unansweredKey{}).(*unanswered); ok && errors.Unwrap(err) != nil {
		asked.err = err
	}
	return payload, err
}

// memory is a transport that gives a good answer again for a while: a set of
// keys asks for each key that it does not know.
type memory struct {
	base http.RoundTripper
	keep time.Duration

	mu   sync.Mutex
	have map[string]answer // by URL, of which an issuer has two
}

type answer struct {
	status int
	header http.Header
	body   []byte
	until  time.Time
}

func (m *memory) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	a, ok := m.have[r.URL.String()]
	m.mu.Unlock()
	if ok && time.Now().Before(a.until) {
		return a.response(r), nil
	}
	res, err := m.base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errors.New("the answer is too large")
	}
	a = answer{res.StatusCode, res.Header, body, time.Now().Add(m.keep)}
	if res.StatusCode == http.StatusOK && strings.HasPrefix(strings.TrimSpace(string(body)), "{") {
		m.mu.Lock()
		if m.have == nil {
			m.have = map[string]answer{}
		}
		m.have[r.URL.String()] = a
		m.mu.Unlock()
	}
	return a.response(r), nil
}

func (a answer) response(r *http.Request) *http.Response {
	return &http.Response{
		StatusCode: a.status, Status: http.StatusText(a.status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header.Clone(), Body: io.NopCloser(bytes.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}
}
