package syncproto

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// parseUser takes /info/usage/{user} apart.
func parseUser(u *url.URL) (string, bool) {
	if !strings.HasPrefix(u.Path, "/info/usage/") {
		return "", false
	}
	rest := strings.TrimPrefix(u.EscapedPath(), "/info/usage/")
	user, err := url.PathUnescape(rest)
	return user, err == nil && !strings.Contains(rest, "/") && validName(user, MaxUser)
}

type usageAnswer struct {
	Collections map[string]collectionUsage `json:"collections"`
	Bytes       int64                      `json:"bytes"`
	QuotaBytes  int64                      `json:"quota_bytes,omitempty"`
}

type collectionUsage struct {
	Apps    int   `json:"apps"`
	Bytes   int64 `json:"bytes"`
	Until   Time  `json:"until"`
	Deleted bool  `json:"deleted,omitempty"`
}

// usage tells users what they hold. Route asks for it only of a Directory.
func (x *exchange) usage() {
	if !x.authorize() {
		return
	}
	all, err := x.cfg.Store.(Directory).Collections(x.r.Context(), x.key.User)
	if err != nil {
		x.unavailable(fmt.Errorf("syncproto: usage: %w", err))
		return
	}
	v := usageAnswer{Collections: make(map[string]collectionUsage, len(all)), QuotaBytes: x.cfg.Quota.Bytes}
	for _, u := range all {
		v.Bytes += u.Bytes
		v.Collections[u.Collection] = collectionUsage{u.Apps, u.Bytes, u.Last, u.Deleted != nil}
	}
	x.w.Header().Set("Cache-Control", "no-cache, private")
	x.json(http.StatusOK, v)
}
