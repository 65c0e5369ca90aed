package manifest

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func get(m *Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/getmanifest?url="+url.QueryEscape(target), nil))
	return w
}

func TestPublic(t *testing.T) {
	for _, s := range []string{"93.184.216.34", "1.1.1.1", "172.15.0.1", "2606:4700::1111", "::ffff:8.8.8.8"} {
		if !public(netip.MustParseAddr(s)) {
			t.Errorf("%s is refused", s)
		}
	}
	for _, s := range []string{
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255",
		"::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::",
		"::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "fd00:ec2::254", "fec0::1", "3fff::1", "4000::1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "::ffff:169.254.169.254",
	} {
		if public(netip.MustParseAddr(s)) {
			t.Errorf("%s is taken for public", s)
		}
	}
}

// The handler is asked for a real server on loopback, by all of its names.
func TestLoopback(t *testing.T) {
	asked := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked = true
		w.Header().Set("Content-Type", contentType)
	}))
	defer srv.Close()
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "0", "127.1", "2130706433"} {
		if w := get(new(Handler), "http://"+host+":"+port+"/"); w.Code != http.StatusBadGateway || asked {
			t.Errorf("%s: %d, asked %t", host, w.Code, asked)
		}
	}
}

// Wherever a redirect leads, it is looked at again when it connects.
func TestRedirectToLoopback(t *testing.T) {
	var asked atomic.Bool
	within := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Store(true)
		w.Header().Set("Content-Type", contentType)
	}))
	defer within.Close()
	_, port, err := net.SplitHostPort(within.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	network := new(memnet.Network)
	defer network.Close()
	l, err := network.Listen("tcp", "apps.example.com:80")
	if err != nil {
		t.Fatal(err)
	}
	outside := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+r.URL.Query().Get("to")+":"+port+"/", http.StatusTemporaryRedirect)
	}))
	outside.Listener.Close()
	outside.Listener = l
	outside.Start()
	defer outside.Close()
	var told error
	m := &Handler{
		DialContext: func(ctx context.Context, n, addr string) (net.Conn, error) {
			if addr == "apps.example.com:80" {
				return network.DialContext(ctx, n, addr)
			}
			return (&net.Dialer{Control: publicOnly}).DialContext(ctx, n, addr)
		},
		OnError: func(_ *http.Request, err error) { told = err },
	}
	for _, host := range []string{"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		w := get(m, "http://apps.example.com/?to="+url.QueryEscape(host))
		if w.Code != http.StatusBadGateway || asked.Load() || strings.Contains(w.Body.String(), "127.0.0.1") {
			t.Errorf("%s: %d %s, asked %t", host, w.Code, w.Body, asked.Load())
		}
		if told == nil || !strings.Contains(told.Error(), "not a public address") {
			t.Errorf("%s: OnError was told %v", host, told)
		}
	}
}

func TestBadURL(t *testing.T) {
	for _, target := range []string{"", "file:///etc/passwd", "ftp://example.com/", "//example.com/", "http://", "http:///x", "gopher://x", "http://user:pw@example.com/", "http://[::1", "x"} {
		if w := get(new(Handler), target); w.Code != http.StatusBadRequest {
			t.Errorf("%q: %d, want 400", target, w.Code)
		}
	}
	w := httptest.NewRecorder()
	new(Handler).ServeHTTP(w, httptest.NewRequest("POST", "/getmanifest", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

func TestHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(memnet.Network)
		defer network.Close()
		l, err := network.Listen("tcp", "apps.example.com:80")
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		srv := &http.Server{Handler: mux}
		serve := func(path, mime, body string) {
			mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", mime)
				io.WriteString(w, body)
			})
		}
		serve("/good", contentType+"; charset=utf-8", `{"name":"Chess"}`)
		serve("/html", "text/html", `{"name":"Chess"}`)
		serve("/large", contentType, strings.Repeat("x", 101))
		serve("/limit", contentType, strings.Repeat("x", 100))
		mux.HandleFunc("/missing", http.NotFound)
		mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		mux.HandleFunc("/drip", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			for r.Context().Err() == nil {
				io.WriteString(w, " ")
				http.NewResponseController(w).Flush()
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
				}
			}
		})
		mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 10<<20))
			z.Close()
		})
		mux.HandleFunc("/header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		})
		mux.Handle("/moved", http.RedirectHandler("/good", http.StatusFound))
		mux.Handle("/file", http.RedirectHandler("file:///etc/passwd", http.StatusFound))
		mux.Handle("/round", http.RedirectHandler("/round", http.StatusFound))
		done := make(chan struct{})
		go func() {
			defer close(done)
			srv.Serve(l)
		}()
		defer func() {
			srv.Close()
			<-done
		}()

		var told error
		m := &Handler{
			Size: 100,
			DialContext: func(ctx context.Context, n, addr string) (net.Conn, error) {
				return network.DialContext(ctx, n, addr)
			},
			OnError: func(_ *http.Request, err error) { told = err },
		}
		for path, why := range map[string]string{
			"/good": "", "/moved": "", "/limit": "",
			"/html": `type "text/html", want application/`, "/large": "more than 100 bytes", "/missing": "status 404",
			"/file": "want http(s)", "/round": "too many redirects", "/slow": "deadline exceeded",
			"/drip": "deadline exceeded", "/bomb": "more than 100 bytes", "/header": "headers exceeded",
		} {
			told = nil
			want := 200
			if why != "" {
				want = 502
			}
			begin := time.Now()
			w := get(m, "http://apps.example.com"+path)
			if w.Code != want || time.Since(begin) > defaultTimeout {
				t.Errorf("%s: %d after %v, want %d", path, w.Code, time.Since(begin), want)
			}
			if (told != nil) != (why != "") || told != nil && !strings.Contains(told.Error(), why) {
				t.Errorf("%s: OnError was told %v, want %q", path, told, why)
			}
			if want == 200 && w.Header().Get("Content-Type") != contentType {
				t.Errorf("%s: type %q", path, w.Header().Get("Content-Type"))
			}
		}
		if w := get(m, "http://apps.example.com/good"); w.Body.String() != `{"name":"Chess"}` {
			t.Errorf("%s", w.Body)
		}
		synctest.Wait()
	})
}
