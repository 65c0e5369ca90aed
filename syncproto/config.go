package syncproto

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Config is what a [Handler] is made of. Store and Verifier have to be given;
// the zero value of everything else is usable.
type Config struct {
	// Store keeps the collections.
	Store Store
	// Verifier says whom a login's assertion names.
	Verifier Verifier
	// Audiences are the sites whose assertions are accepted, compared byte for
	// byte with the audience of the login, such as "https://apps.example.com".
	// A site that is not yours must not be among them: it could log in here
	// with the assertions that its visitors give it. "*" accepts all, as the
	// first server did. Empty is an error, unless Development is set, and then
	// accepts all.
	Audiences []string
	// Development accepts identities that anyone could claim, those marked
	// Identity.Development, and so anyone as anyone.
	Development bool

	// Sessions hands out tokens. Nil means [SignedSessions] with a random key:
	// they end with the process, and no other server accepts them.
	Sessions Sessions
	// Marks repairs the received of pushes. Nil keeps the last 65,536 marks
	// in this process, about 13 MiB. Servers whose states are cached have to
	// share them if others write too, as those of the package memcache do.
	Marks Marks

	// BaseURL is where clients find the handler, without a slash at the end,
	// such as "https://apps.example.com/sync". Empty means to take it from each
	// login request: its scheme, its Host, and the path in front of what was
	// left by http.StripPrefix.
	BaseURL string
	// TrustProxy takes scheme, host and a path to put in front from the headers
	// X-Forwarded-Proto, -Host and -Prefix where present. Set it only behind a
	// proxy that sets or removes them.
	TrustProxy bool
	// Origins are the web origins, such as "https://apps.example.com", whose
	// pages may use the handler from elsewhere (CORS); "*" is all of them,
	// which is safe, for no cookie is looked at. Empty means none: the pages
	// come from the same origin.
	Origins []string

	// Limits bound what one request may ask for.
	Limits Limits
	// Quota bounds what one user may hold. Zero does not bound anything.
	Quota Quota
	// Watch lets clients wait for news. Zero makes them poll.
	Watch Watch
	// RetryAfter returns how long a 503 asks clients to stay away; it is sent in
	// whole seconds, rounded up. Zero or less sends none, for a middleware around
	// the handler to say it. It is called while a client waits and must not
	// block. Where an operator can ask clients to stay away for longer, return no
	// less than that. Nil means 120 s.
	RetryAfter func() time.Duration

	// OnEvent is told of every request when it has been answered, and must not
	// block. Nil tells nobody.
	OnEvent func(Event)
}

// Limits bound what one request may ask for. A zero field means its default.
// GET /info/configuration tells clients what is in force.
type Limits struct {
	Body   int64 // bytes of a pushed body, held in memory while it is read; 4 MiB
	Apps   int   // apps in one push; 10,000
	Doc    int   // bytes of one document; 1 MiB
	Depth  int   // levels of objects and arrays in a document; 32
	Origin int   // bytes of an origin, at most MaxOrigin; MaxOrigin
	Page   int   // records in one answer, after which it says incomplete; 10,000
}

const (
	defaultBody       = 4 << 20
	defaultApps       = 10_000
	defaultDoc        = 1 << 20
	defaultDepth      = 32
	defaultPage       = 10_000
	defaultRetryAfter = 120 * time.Second
)

// withDefaults fills in a copy, so that the caller's literal stays what it was.
func (c Config) withDefaults() (Config, error) {
	if c.Store == nil {
		return c, errors.New("syncproto: Config.Store is nil: give a store, such as new(syncproto.Memory)")
	}
	if c.Verifier == nil {
		return c, errors.New("syncproto: Config.Verifier is nil: without one nobody can log in")
	}
	if len(c.Audiences) == 0 {
		if !c.Development {
			return c, errors.New(`syncproto: Config.Audiences is empty: list the sites that log in here, or "*" for any site at all`)
		}
		c.Audiences = []string{"*"}
	}
	if c.Sessions == nil {
		key := make([]byte, minKey)
		rand.Read(key) // never fails
		c.Sessions = &SignedSessions{Keys: [][]byte{key}}
	}
	if s, ok := c.Sessions.(*SignedSessions); ok {
		if err := s.check(); err != nil {
			return c, err
		}
	}
	if c.Marks == nil {
		c.Marks = new(memoryMarks)
	}
	if err := checkBase(c.BaseURL); err != nil {
		return c, err
	}
	for _, o := range c.Origins {
		if u, err := url.Parse(o); o != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			return c, fmt.Errorf("syncproto: Config.Origins: %q: want \"*\" or scheme://host[:port]", o)
		}
	}
	if c.RetryAfter == nil {
		c.RetryAfter = func() time.Duration { return defaultRetryAfter }
	}
	if c.Quota.Apps < 0 || c.Quota.Bytes < 0 || c.Quota.Collections < 0 {
		return c, fmt.Errorf("syncproto: Config.Quota %+v: must not be negative", c.Quota)
	}
	var err error
	if c.Watch, err = c.Watch.withDefaults(); err != nil {
		return c, err
	}
	c.Limits, err = c.Limits.withDefaults()
	return c, err
}

func (l Limits) withDefaults() (Limits, error) {
	if l.Body < 0 || l.Apps < 0 || l.Doc < 0 || l.Depth < 0 || l.Origin < 0 || l.Page < 0 {
		return l, fmt.Errorf("syncproto: Config.Limits %+v: must not be negative", l)
	}
	if l.Origin > MaxOrigin {
		return l, fmt.Errorf("syncproto: Config.Limits.Origin %d: at most %d", l.Origin, MaxOrigin)
	}
	return Limits{
		Body:   cmp.Or(l.Body, defaultBody),
		Apps:   cmp.Or(l.Apps, defaultApps),
		Doc:    cmp.Or(l.Doc, defaultDoc),
		Depth:  cmp.Or(l.Depth, defaultDepth),
		Origin: cmp.Or(l.Origin, MaxOrigin),
		Page:   cmp.Or(l.Page, defaultPage),
	}, nil
}

func checkBase(base string) error {
	if base == "" {
		return nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(base, "/") {
		return fmt.Errorf("syncproto: Config.BaseURL %q: want http(s)://host[:port][/path] without a slash at the end", base)
	}
	return nil
}
