package syncproto

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The layout of the first server: AppSync B64(assertion):B64(email):B64(token).
// The first part is a placeholder now. Carrying the assertion in each request
// put it into every log on the way.
const (
	authScheme = "AppSync "
	authFirst  = "c3luY3Byb3Rv" // "syncproto"
	maxAuth    = 4 << 10
)

func formatAuthorization(user, token string) string {
	b := base64.URLEncoding
	return authScheme + authFirst + ":" + b.EncodeToString([]byte(user)) + ":" + b.EncodeToString([]byte(token))
}

// parseAuthorization returns the token, if the header names that user.
func parseAuthorization(s, user string) (token string, ok bool) {
	rest, ok := strings.CutPrefix(s, authScheme)
	if !ok || len(s) > maxAuth {
		return "", false
	}
	first, rest, ok1 := strings.Cut(rest, ":")
	second, third, ok2 := strings.Cut(rest, ":")
	if !ok1 || !ok2 {
		return "", false
	}
	var buf [512]byte
	b := base64.RawURLEncoding
	if first != authFirst {
		if _, err := b.AppendDecode(buf[:0], unpadded(first)); err != nil {
			return "", false
		}
	}
	if string(b.AppendEncode(buf[:0], []byte(user))) != string(unpadded(second)) {
		return "", false
	}
	tok, err := b.AppendDecode(buf[:0], unpadded(third)) // refuses a fourth part
	return string(tok), err == nil
}

func unpadded(s string) []byte { return []byte(strings.TrimRight(s, "=")) }

// authorize finds the session of a request for x.key, or answers and returns
// false.
func (x *exchange) authorize() bool {
	head := x.r.Header.Get("Authorization")
	if head == "" {
		head = x.r.Header.Get("Authentication") // as the protocol was written down
	}
	user := x.key.User
	token, ok := parseAuthorization(head, user)
	if !ok {
		x.unauthorized("log in first", ErrNoSession)
		return false
	}
	s, err := x.cfg.Sessions.Check(x.r.Context(), user, token)
	if err == nil {
		err = s.check(false)
	}
	switch {
	case errors.Is(err, ErrNoSession):
		x.unauthorized("log in first", err)
		return false
	case err != nil:
		x.unavailable(fmt.Errorf("syncproto: sessions: %w", err))
		return false
	}
	if s.Token != "" {
		x.w.Header().Set("X-Sync-Authorization", formatAuthorization(user, s.Token))
	}
	x.mark = s.ID + "/" + x.key.Collection
	return true
}
