package syncproto

import (
	"net/http"
	"net/url"
	"strings"
)

// baseURL returns where clients find the handler.
func (x *exchange) baseURL() string {
	if x.cfg.BaseURL != "" {
		return x.cfg.BaseURL
	}
	scheme, host, prefix := "http", x.r.Host, mountedAt(x.r)
	if x.r.TLS != nil {
		scheme = "https"
	}
	if x.cfg.TrustProxy {
		if p := forwarded(x.r, "Proto"); p == "http" || p == "https" {
			scheme = p
		}
		if h := forwarded(x.r, "Host"); h != "" {
			host = h
		}
		if p := forwarded(x.r, "Prefix"); strings.HasPrefix(p, "/") {
			prefix = strings.TrimRight(p, "/") + prefix
		}
	}
	return scheme + "://" + host + prefix
}

// mountedAt returns the path that was taken off before the handler saw it.
func mountedAt(r *http.Request) string {
	uri, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(uri, "/") { // the absolute form, as sent to proxies
		u, err := url.Parse(uri)
		if err != nil {
			return ""
		}
		uri = u.EscapedPath()
	}
	prefix, ok := strings.CutSuffix(uri, r.URL.EscapedPath())
	if !ok {
		return ""
	}
	return prefix
}

// forwarded returns what the proxy nearest to the client said.
func forwarded(r *http.Request, name string) string {
	v, _, _ := strings.Cut(r.Header.Get("X-Forwarded-"+name), ",")
	return strings.TrimSpace(v)
}

// quote escapes one segment of a path, the @ of an e-mail included: servers have
// always handed it out so.
func quote(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}
