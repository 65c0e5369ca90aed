package syncproto

import (
	"bufio"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// Handler serves the protocol. Mount it at the root, or anywhere with
// http.StripPrefix:
//
//	mux.Handle("/sync/", http.StripPrefix("/sync", h))
//
// It is safe for concurrent use, starts no goroutine and needs no closing.
type Handler struct {
	cfg       Config
	hub       hub
	exchanges sync.Pool // of *exchange
	writers   sync.Pool // of *bufio.Writer
}

var _ http.Handler = (*Handler)(nil)

// New makes a handler. It returns an error that names the field if the
// configuration cannot work.
func New(c Config) (*Handler, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{cfg: c}
	h.exchanges.New = func() any { return new(exchange) }
	h.writers.New = func() any { return bufio.NewWriterSize(io.Discard, 16<<10) }
	return h, nil
}

// exchange is one request on its way through the handler.
type exchange struct {
	*Handler
	w     http.ResponseWriter
	r     *http.Request
	key   Key    // of a request for a collection
	mark  string // the name of the session's mark in it, once it is authorized
	event Event
	buf   [192]byte // for a short answer
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := h.exchanges.Get().(*exchange)
	x.Handler, x.w, x.r = h, w, r
	if h.cfg.OnEvent != nil {
		x.observed()
	} else {
		x.serve()
	}
	*x = exchange{}
	h.exchanges.Put(x)
}

// observed serves and tells of it, however it ends.
func (x *exchange) observed() {
	start := time.Now()
	defer func() {
		x.event.Elapsed = time.Since(start)
		x.cfg.OnEvent(x.event)
	}()
	x.serve()
}

func (x *exchange) serve() {
	x.cors()
	op, methods, serve := x.route()
	x.event.Op = op
	switch {
	case serve == nil:
		x.fail(http.StatusNotFound, "no such resource")
	case x.r.Method == http.MethodOptions && len(x.cfg.Origins) > 0:
		x.preflight(methods)
	case !strings.Contains(" "+methods+",", " "+x.r.Method+","):
		x.w.Header().Set("Allow", methods)
		x.fail(http.StatusMethodNotAllowed, "the method is not allowed here")
	default:
		serve(x)
	}
}

// route finds out what is asked for.
func (x *exchange) route() (op, methods string, serve func(*exchange)) {
	switch x.r.URL.Path {
	case "/verify":
		return "login", "POST", (*exchange).login
	case "/__heartbeat__":
		return "heartbeat", "GET, HEAD", (*exchange).heartbeat
	case "/__ready__":
		return "ready", "GET, HEAD", (*exchange).ready
	case "/info/configuration":
		return "info", "GET", (*exchange).configuration
	}
	if user, ok := parseUser(x.r.URL); ok {
		if _, ok := x.cfg.Store.(Directory); !ok {
			return "", "", nil
		}
		x.key.User, x.event.User = user, user
		return "info", "GET", (*exchange).usage
	}
	key, ok := parseKey(x.r.URL)
	if !ok {
		return "", "", nil
	}
	x.key = key
	x.event.User, x.event.Collection = key.User, key.Collection
	if x.r.Method == http.MethodGet {
		return "pull", "GET, POST", (*exchange).pull
	}
	if x.r.URL.RawQuery != "" && x.r.URL.Query().Has("delete") {
		return "delete", "GET, POST", (*exchange).delete
	}
	return "push", "GET, POST", (*exchange).push
}

// parseKey takes /collections/{user}/{collection} apart before it decodes, so
// that an escaped slash stays within its segment. Where there is none, as in
// nearly every URL, what was decoded already has the same segments.
func parseKey(u *url.URL) (Key, bool) {
	path, decode := u.Path, strings.Contains(u.RawPath, "%2")
	if decode {
		path = u.EscapedPath()
	}
	rest, ok := strings.CutPrefix(path, "/collections/")
	user, name, found := strings.Cut(rest, "/")
	if !ok || !found || strings.Contains(name, "/") {
		return Key{}, false
	}
	if decode {
		var err1, err2 error
		user, err1 = url.PathUnescape(user)
		name, err2 = url.PathUnescape(name)
		ok = err1 == nil && err2 == nil
	}
	return Key{user, name}, ok && validName(user, MaxUser) && validName(name, MaxCollection)
}

// validName says whether a store has to be able to hold s. A replacement
// character is what a broken surrogate decodes to: two such names would be one.
func validName(s string, most int) bool {
	return s != "" && len(s) <= most && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError })
}
