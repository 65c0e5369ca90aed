package syncproto

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzParseKey compares with taking every path apart before anything is decoded.
func FuzzParseKey(f *testing.F) {
	for _, path := range []string{
		"/collections/ann@example.com/apps", "/collections/ann%40example.com/apps", "/collections/a%2Fb/apps", "/collections/a%2fb/c%2Fd",
		"/collections%2Fa/b", "/collections/a/b/c", "/collections/a/b%2Fc", "/collections/%25/%2520", "/collections//x", "/collections/a/%00",
		"/collections/%FF/x", "*", "", "/collections/a%20b/%E2%82%AC", "/collections/a+b/c;d",
	} {
		f.Add(path, "")
		f.Add(path, "/collections/other/path") // what a middleware left behind
	}
	f.Fuzz(func(t *testing.T, raw, decoded string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil {
			return
		}
		if decoded != "" {
			u.Path = decoded
		}
		got, ok := parseKey(u)
		want, wantOK := slowKey(u)
		if ok != wantOK || ok && got != want {
			t.Errorf("path %q, raw %q: %q %v, want %q %v", u.Path, u.RawPath, got, ok, want, wantOK)
		}
	})
}

func slowKey(u *url.URL) (Key, bool) {
	parts := strings.Split(u.EscapedPath(), "/")
	if len(parts) != 4 || parts[0] != "" || parts[1] != "collections" {
		return Key{}, false
	}
	user, err1 := url.PathUnescape(parts[2])
	name, err2 := url.PathUnescape(parts[3])
	return Key{user, name}, err1 == nil && err2 == nil && validName(user, MaxUser) && validName(name, MaxCollection)
}
