package backoff

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// A group is headers that say the same to clients of one kind: all of them are
// sent, or none.
type group struct {
	keys []string
	poll bool // the X-Sync-Poll pair: successful answers to GET and HEAD only
}

// families are the headers that go together.
var families = [...][2]string{{SyncPoll, SyncPollTime}, {WeaveBackoff, XBackoff}}

// groupHeaders sorts the names of a Policy into groups.
func groupHeaders(names []string) ([]group, error) {
	var groups []group
	for _, name := range names {
		key := textproto.CanonicalMIMEHeaderKey(name)
		if key == RetryAfter {
			return nil, errors.New("backoff: Policy.Headers has Retry-After: it is sent on 503 and 429 without being listed")
		}
		if !token(name) {
			return nil, fmt.Errorf("backoff: Policy.Headers has %q: it is not a header name", name)
		}
		i := slices.IndexFunc(groups, func(g group) bool { return related(g.keys[0], key) })
		switch {
		case i < 0:
			groups = append(groups, group{keys: []string{key}, poll: related(SyncPoll, key)})
		case !slices.Contains(groups[i].keys, key):
			groups[i].keys = append(groups[i].keys, key)
		}
	}
	return groups, nil
}

func related(a, b string) bool {
	if a == b {
		return true
	}
	for _, f := range families {
		if (f[0] == a || f[1] == a) && (f[0] == b || f[1] == b) {
			return true
		}
	}
	return false
}

// token reports whether s is a token of RFC 9110, section 5.6.2.
func token(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// claimed reports whether the handler has decided about one of the group's
// headers: set it, or set its key to nil to keep it from being sent. A family's
// other member counts although the policy does not send it.
func (g group) claimed(h http.Header) bool {
	for _, key := range g.keys {
		if _, ok := h[key]; ok {
			return true
		}
		for _, f := range families {
			if f[0] == key || f[1] == key {
				_, first := h[f[0]]
				_, second := h[f[1]]
				return first || second
			}
		}
	}
	return false
}

// set gives each of the group's headers the value.
func (g group) set(h http.Header, value string) {
	values := make([]string, len(g.keys)) // one allocation for all
	for i, key := range g.keys {
		values[i] = value
		h[key] = values[i : i+1 : i+1]
	}
}

const (
	allowOrigin      = "Access-Control-Allow-Origin"
	allowCredentials = "Access-Control-Allow-Credentials"
	exposeHeaders    = "Access-Control-Expose-Headers"
)

// expose adds names to the headers that scripts from another origin may read,
// if the response lets such scripts read anything.
func expose(h http.Header, names []string) {
	if len(names) == 0 || len(h[allowOrigin]) == 0 {
		return
	}
	exposed := h[exposeHeaders]
	var missing []string
	for _, name := range names {
		if !listed(exposed, name) {
			missing = append(missing, name)
		}
	}
	// "*" stands for every header, except with credentials (Fetch standard).
	if len(missing) == 0 || listed(exposed, "*") && h.Get(allowCredentials) != "true" {
		return
	}
	// Clipped: CORS middleware may share one slice between all responses.
	h[exposeHeaders] = append(slices.Clip(exposed), strings.Join(missing, ", "))
}

// listed reports whether one of the comma-separated lists has the name.
func listed(lists []string, name string) bool {
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(strings.TrimSpace(item), name) {
				return true
			}
		}
	}
	return false
}
