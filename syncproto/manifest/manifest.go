package manifest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"
)

// Handler answers GET ?url=... with the manifest that is found there. It fetches
// http and https URLs from public addresses, looked at when it connects, after
// the name was resolved and at each of at most three redirects; it answers 400
// for a URL that it doesn't take and 502 if what it fetched is no manifest: a
// 200 of the type application/x-web-app-manifest+json. It sends no cookies and
// uses no proxy. Whoever can reach it can make it fetch: put a limit around it.
//
// The zero Handler is ready to use, and safe for concurrent use.
type Handler struct {
	// Size is how many bytes a manifest may have. Zero means 256 KiB.
	Size int
	// Timeout bounds a fetch. Zero means 10 s.
	Timeout time.Duration
	// DialContext makes connections. Nil means a dialer that refuses loopback,
	// private and other addresses that are not public; anything else has to
	// see to that itself.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// OnError is told why a request was answered 502, which may tell of the
	// network behind and so is not for clients. It must not block. Nil tells
	// nobody.
	OnError func(r *http.Request, err error)
}

const (
	contentType    = "application/x-web-app-manifest+json"
	defaultSize    = 256 << 10
	defaultTimeout = 10 * time.Second
	maxRedirects   = 3
)

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "GET only", http.StatusMethodNotAllowed)
		return
	}
	u, err := url.Parse(r.URL.Query().Get("url"))
	if err != nil || checkURL(u) != nil {
		http.Error(w, "want url=http(s)://...", http.StatusBadRequest)
		return
	}
	body, err := h.fetch(r.Context(), u)
	if err != nil {
		if h.OnError != nil {
			h.OnError(r, err)
		}
		http.Error(w, "the manifest could not be fetched", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return fmt.Errorf("manifest: url %q: want http(s)://host/path", u.Redacted())
	}
	return nil
}

func (h *Handler) fetch(ctx context.Context, u *url.URL) ([]byte, error) {
	size, timeout, dial := h.Size, h.Timeout, h.DialContext
	if size <= 0 {
		size = defaultSize
	}
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	if dial == nil {
		dial = (&net.Dialer{Control: publicOnly}).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := &http.Client{
		Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 32 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return errors.New("manifest: too many redirects")
			}
			return checkURL(r.URL)
		},
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", contentType)
	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("manifest: fetch: status %d", res.StatusCode)
	}
	said := res.Header.Get("Content-Type")
	if t, _, err := mime.ParseMediaType(said); err != nil || t != contentType {
		return nil, fmt.Errorf("manifest: fetch: the type %q, want %s", said, contentType)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, int64(size)+1))
	if err == nil && len(body) > size {
		err = fmt.Errorf("manifest: more than %d bytes", size)
	}
	return body, err
}

// publicOnly is a net.Dialer's Control: it sees the address that is connected
// to, whatever name stood for it.
func publicOnly(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !public(a.Addr()) {
		return fmt.Errorf("manifest: %v is not a public address", a.Addr())
	}
	return nil
}

// public says whether an address is one of the internet's: in IPv6, of what has
// been given out for it, which leaves out what carries an IPv4 address in it; less
// the special purposes in IANA's registries, and Azure's own services, which are at
// a public address from within.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !given.Contains(a) {
		return false
	}
	for _, s := range special {
		if s.Contains(a) {
			return false
		}
	}
	return true
}

var given = netip.MustParsePrefix("2000::/3")

var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

func prefixes(all ...string) (p []netip.Prefix) {
	for _, s := range all {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}
