package oidclogin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/brownout-go/brownout/syncproto"
)

// Why a token was refused. Each is a [syncproto.ErrBadAssertion], and none
// repeats what the token says.
var (
	// ErrToken: not an ID token of the issuer, or its signature is not good.
	ErrToken = fmt.Errorf("oidclogin: not a valid ID token: %w", syncproto.ErrBadAssertion)
	// ErrAudience: a token for another client.
	ErrAudience = fmt.Errorf("oidclogin: made for another audience: %w", syncproto.ErrBadAssertion)
	// ErrExpired: a token that is past its time.
	ErrExpired = fmt.Errorf("oidclogin: expired: %w", syncproto.ErrBadAssertion)
	// ErrEmail: a token without an address that the issuer has verified and may
	// vouch for.
	ErrEmail = fmt.Errorf("oidclogin: no verified e-mail address: %w", syncproto.ErrBadAssertion)
)

// Config is what a Verifier is made of. Issuer has to be given.
type Config struct {
	// Issuer is the URL of the issuer, as its tokens name it. The keys are
	// found from it (OpenID Connect Discovery 1.0).
	Issuer string
	// Domains are those whose addresses the issuer may vouch for, such as
	// "example.com". Empty means all: right only for an issuer that has itself
	// seen to it that the address is the person's.
	Domains []string
	// HTTP asks the issuer. Nil means http.DefaultClient.
	HTTP *http.Client
	// Timeout bounds one request to the issuer. Zero means 10 s.
	Timeout time.Duration
	// Refresh bounds how often tokens with made-up keys make requests to the
	// issuer, for it is asked whenever a key is not known. Five times it is
	// asked at once, and then once every Refresh; meanwhile such a token is a
	// 503, for its key may be new. Zero means 10 s.
	Refresh time.Duration
	// KeyAge is how old the issuer's keys get before it is asked for them again:
	// one that it takes back without a new one is good for so long. Zero means
	// an hour.
	KeyAge time.Duration
	// KeyGrace is for how much longer they are good if it cannot be asked then,
	// which is tried every Refresh. After that all logins are 503. Zero means a
	// day.
	KeyGrace time.Duration
}

// Verifier checks ID tokens. It is safe for concurrent use. It asks the issuer
// when it first needs to, so that a server can start without it, and while the
// issuer cannot be asked says so, which is a 503 and no 401; tokens signed with
// keys that it has are accepted for KeyAge and KeyGrace. It asks for the keys
// again when it meets one that it does not know, and so learns of a change with
// the first token, and at the first login after each KeyAge.
type Verifier struct {
	cfg   Config
	http  *http.Client
	turn  chan struct{} // held by who asks for the issuer's configuration
	known chan struct{} // closed when tokens is there
	// tokens checks all but the audience, which comes with each login.
	tokens *oidc.IDTokenVerifier
}

var _ syncproto.Verifier = (*Verifier)(nil)

// New makes a verifier. It returns an error if the configuration cannot work.
func New(c Config) (*Verifier, error) {
	u, err := url.Parse(c.Issuer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("oidclogin: Config.Issuer: %w", err)
	case u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("oidclogin: Config.Issuer %q: want the URL of the issuer", c.Issuer)
	case c.Timeout < 0:
		return nil, fmt.Errorf("oidclogin: Config.Timeout %v is negative", c.Timeout)
	case c.Refresh < 0:
		return nil, fmt.Errorf("oidclogin: Config.Refresh %v is negative", c.Refresh)
	case c.KeyAge < 0:
		return nil, fmt.Errorf("oidclogin: Config.KeyAge %v is negative", c.KeyAge)
	case c.KeyGrace < 0:
		return nil, fmt.Errorf("oidclogin: Config.KeyGrace %v is negative", c.KeyGrace)
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Refresh == 0 {
		c.Refresh = 10 * time.Second
	}
	if c.KeyAge == 0 {
		c.KeyAge = time.Hour
	}
	if c.KeyGrace == 0 {
		c.KeyGrace = 24 * time.Hour
	}
	h := *c.HTTP
	base := h.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	h.Transport, h.Timeout = bounded{base}, c.Timeout
	return &Verifier{cfg: c, http: &h, turn: make(chan struct{}, 1), known: make(chan struct{})}, nil
}

// Verify checks an ID token as OpenID Connect Core 1.0, section 3.1.3.7, has
// it: issuer, signature, time, and that it was made for the audience, a client
// ID. The user is its "email" if it says that the address is verified.
func (v *Verifier) Verify(ctx context.Context, assertion, audience string) (syncproto.Identity, error) {
	tokens, err := v.discover(ctx)
	if err != nil {
		return syncproto.Identity{}, fmt.Errorf("oidclogin: the issuer's configuration: %w", err)
	}
	var asked unanswered
	token, err := tokens.Verify(context.WithValue(ctx, unansweredKey{}, &asked), assertion)
	var expired *oidc.TokenExpiredError
	switch {
	case asked.err != nil:
		return syncproto.Identity{}, fmt.Errorf("oidclogin: the issuer's keys: %w", asked.err)
	case errors.As(err, &expired):
		return syncproto.Identity{}, ErrExpired
	case err != nil:
		return syncproto.Identity{}, ErrToken
	}
	var claims struct {
		Email    string          `json:"email"`
		Verified json.RawMessage `json:"email_verified"`
		Party    string          `json:"azp"`
	}
	if err := token.Claims(&claims); err != nil {
		return syncproto.Identity{}, ErrToken
	}
	// A token for several clients names the one that it was issued to.
	if !slices.Contains(token.Audience, audience) || claims.Party != audience && (claims.Party != "" || len(token.Audience) > 1) {
		return syncproto.Identity{}, ErrAudience
	}
	// Some issuers say "true".
	if said := string(claims.Verified); said != "true" && said != `"true"` || !v.vouches(claims.Email) {
		return syncproto.Identity{}, ErrEmail
	}
	return syncproto.Identity{Email: claims.Email, Issuer: token.Issuer, Expires: token.Expiry}, nil
}

func (v *Verifier) vouches(email string) bool {
	name, domain, ok := strings.Cut(email, "@")
	return ok && name != "" && domain != "" && len(email) <= syncproto.MaxUser && !strings.Contains(domain, "@") &&
		(len(v.cfg.Domains) == 0 || slices.Contains(v.cfg.Domains, strings.ToLower(domain)))
}

// discover asks for the issuer's configuration, once.
func (v *Verifier) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	select {
	case <-v.known:
		return v.tokens, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case v.turn <- struct{}{}:
	}
	defer func() { <-v.turn }()
	select {
	case <-v.known: // somebody else was faster
		return v.tokens, nil
	default:
	}
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, v.http), v.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	var p struct {
		Keys string   `json:"jwks_uri"`
		Algs []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := provider.Claims(&p); err != nil {
		return nil, err
	}
	if p.Keys == "" {
		return nil, errors.New("it has no jwks_uri")
	}
	// What signs with a secret that is shared with the client is not for a
	// server that knows none.
	algorithms := []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
	}
	algs := slices.DeleteFunc(p.Algs, func(alg string) bool { return !slices.Contains(algorithms, alg) })
	unknown := &sparing{base: v.http.Transport, every: v.cfg.Refresh}
	ask := func(t http.RoundTripper) oidc.KeySet {
		asks := *v.http
		asks.Transport = t
		return oidc.NewRemoteKeySet(oidc.ClientContext(ctx, &asks), p.Keys)
	}
	keys := &keySet{
		cfg: v.cfg, turn: make(chan struct{}, 1), set: ask(unknown),
		renew: func() oidc.KeySet { return ask(&renewal{first: v.http.Transport, rest: unknown}) },
	}
	v.tokens = oidc.NewVerifier(v.cfg.Issuer, keys, &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algs})
	close(v.known)
	return v.tokens, nil
}
