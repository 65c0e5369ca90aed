package control

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxBody is how long the body of a request may be.
const maxBody = 1 << 20

// Guard keeps those out who must not call, before anything is read: what
// Handler does with them. It is for handlers of your own at the same address.
func (s *Server) Guard(next http.Handler) http.Handler {
	var origins http.CrossOriginProtection
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply(w, 0, nil, forbidden("a page of another origin may not change anything"))
	}))
	next = origins.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.mayCall(r) {
			reply(w, 0, nil, forbidden("host %.100q: on a loopback address must be localhost, an address, or one of Server.Hosts", r.Host))
			return
		}
		if s.Token != "" && !bears(r, s.Token) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="control"`)
			reply(w, 0, nil, &refusal{http.StatusUnauthorized, errToken})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// mayCall stops DNS rebinding: a page's own host name that has come to mean a
// loopback address.
func (s *Server) mayCall(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return true
	}
	to, err := netip.ParseAddrPort(local.String())
	if err != nil || !to.Addr().Unmap().IsLoopback() {
		return true
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(strings.ToLower(host), "[]")
	_, err = netip.ParseAddr(host)
	return host == "" || err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost") || slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

func bears(r *http.Request, token string) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	// Sums, so that their comparison does not tell lengths apart.
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && strings.EqualFold(scheme, "bearer")
}

// body is that of a request that has to have one.
func body(r *http.Request) ([]byte, error) {
	data, err := whole(r)
	if err == nil && blank(data) {
		err = badRequest("bad request body: %w", errBlank)
	}
	return data, err
}

// blank says whether there is nothing to read, of which json says only "EOF".
func blank(data []byte) bool { return len(bytes.TrimSpace(data)) == 0 }

// whole reads all of a body, so that nothing changes for half a request.
func whole(r *http.Request) ([]byte, error) {
	data, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	if err != nil && !errors.As(err, &large) {
		err = badRequest("bad request body: %w", err)
	}
	if err == nil && !utf8.Valid(data) {
		err = badRequest("bad request body: must be UTF-8") // json would put something else in its place
	}
	return data, err
}

// object reads a JSON object strictly.
func object(r *http.Request, v any) error {
	data, err := body(r)
	if err != nil {
		return err
	}
	if err := decode(strings.NewReader(string(data)), v); err != nil {
		return badRequest("bad request body: %w", err)
	}
	return nil
}

// lenient reads one JSON value as Toxiproxy does: what it does not know is
// ignored. What follows the value is not.
func lenient(data []byte, v any) error {
	d := json.NewDecoder(strings.NewReader(string(data)))
	err := d.Decode(v)
	if err == nil {
		err = ended(d)
	}
	if err != nil {
		return badRequest("bad request body: %w", err)
	}
	return nil
}
