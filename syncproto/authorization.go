package syncproto

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// The layout of the first server: AppSync B64(assertion):B64(email):B64(token).
// The first part is a placeholder now. Carrying the assertion in each request
// put it into every log on the way.
const (
	authScheme      = "AppSync "
	authPlaceholder = "syncproto"
	maxAuth         = 4 << 10
)

func formatAuthorization(user, token string) string {
	b := base64.URLEncoding
	return authScheme + b.EncodeToString([]byte(authPlaceholder)) + ":" +
		b.EncodeToString([]byte(user)) + ":" + b.EncodeToString([]byte(token))
}

// parseAuthorization returns user and token.
func parseAuthorization(s string) (user, token string, ok bool) {
	rest, ok := strings.CutPrefix(s, authScheme)
	if !ok || len(s) > maxAuth || strings.Count(rest, ":") != 2 {
		return "", "", false
	}
	first, rest, _ := strings.Cut(rest, ":")
	second, third, _ := strings.Cut(rest, ":")
	var parts [3][]byte
	for i, p := range [3]string{first, second, third} {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(p, "="))
		if err != nil {
			return "", "", false
		}
		parts[i] = b
	}
	return string(parts[1]), string(parts[2]), true
}

// authorize finds the session of a request for something of the user's, or
// answers and returns false.
func (x *exchange) authorize(user string) (Session, bool) {
	head := x.r.Header.Get("Authorization")
	if head == "" {
		head = x.r.Header.Get("Authentication") // as the protocol was written down
	}
	claimed, token, ok := parseAuthorization(head)
	if !ok || claimed != user {
		x.unauthorized("log in first", ErrNoSession)
		return Session{}, false
	}
	s, err := x.cfg.Sessions.Check(x.r.Context(), user, token)
	switch {
	case errors.Is(err, ErrNoSession):
		x.unauthorized("log in first", err)
		return Session{}, false
	case err != nil:
		x.unavailable(err)
		return Session{}, false
	}
	if s.Token != "" {
		x.w.Header().Set("X-Sync-Authorization", formatAuthorization(user, s.Token))
	}
	return s, true
}

// markName names the mark of a session in a collection.
func markName(s Session, key Key) string { return s.ID + "/" + key.Collection }

var _ http.Handler = (*Handler)(nil)
