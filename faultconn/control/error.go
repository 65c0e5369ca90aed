package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
)

// refusal is an error that a caller is told with a status.
type refusal struct {
	status int
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

func badRequest(format string, args ...any) error {
	return &refusal{http.StatusBadRequest, fmt.Errorf(format, args...)}
}

func conflict(format string, args ...any) error {
	return &refusal{http.StatusConflict, fmt.Errorf(format, args...)}
}

// listenError says that an address cannot be listened on.
type listenError struct {
	address string // as it was asked for
	err     error
}

func (l *listenError) Error() string { return l.err.Error() }
func (l *listenError) Unwrap() error { return l.err }

// listenRefusal is the error as the native API has it: an address that cannot be
// listened on is the caller's to change. Toxiproxy says 500.
func (s *Server) listenRefusal(err error) error {
	var l *listenError
	var passing interface{ Temporary() bool } // such as that there are no file descriptors left
	switch {
	case !errors.As(err, &l), errors.As(l.err, &passing) && passing.Temporary():
		return err
	case !errors.Is(err, syscall.EADDRINUSE):
		return badRequest("%w", err)
	case strings.HasPrefix(l.address, "unix:"):
		return conflict("%w: choose another path", err)
	}
	for _, e := range s.entries() {
		if p := e.describe(); !p.Disabled && samePort(p.Listen, l.address) {
			return conflict("%w: proxy %q listens on %s; choose another port, or 0 for a free one", err, p.Name, p.Listen)
		}
	}
	return conflict("%w: choose another port, or 0 for a free one", err)
}

// status is that of a reply that says no. An address that cannot be listened on
// is 500, as Toxiproxy has it, unless listenRefusal has seen it.
func status(err error) int {
	var r *refusal
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &r):
		return r.status
	case errors.Is(err, errNotFound):
		return http.StatusNotFound
	case errors.Is(err, errExists):
		return http.StatusConflict
	case errors.Is(err, errClosed):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// reply writes v, or the error.
func reply(w http.ResponseWriter, code int, v any, err error) {
	if err != nil {
		code = status(err)
		v = map[string]any{"error": err.Error(), "status": code}
	}
	if code == http.StatusNoContent {
		w.WriteHeader(code)
		return
	}
	data, err := json.Marshal(v)
	if err != nil {
		code, data = http.StatusInternalServerError, []byte(`{"error":"the reply cannot be written as JSON","status":500}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(append(data, '\n')) // the client may be gone, which is its own affair
}

var errToken = errors.New("a bearer token is needed: Authorization: Bearer TOKEN")

func forbidden(format string, args ...any) error {
	return &refusal{http.StatusForbidden, fmt.Errorf(format, args...)}
}

var errBlank = errors.New("it is empty: must be JSON")

var errToxicNotFound = errors.New("toxic not found")

var (
	errNoConn    = errors.New("connection not found: it may have ended")
	errAudience  = fmt.Errorf("%d clients listen to events already", audience)
	errNoCommand = errors.New("command not found: there are reset, hold, release and step")
)
