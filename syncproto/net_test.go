package syncproto_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// netSite is a handler behind a real server on an in-memory network.
type netSite struct {
	t       *testing.T
	client  *http.Client
	network *memnet.Network
}

func serve(t *testing.T, c syncproto.Config) *netSite {
	t.Helper()
	if c.Store == nil {
		c.Store = new(syncproto.Memory)
	}
	if c.Verifier == nil {
		c.Verifier, c.Development = verify.Plain{}, true
	}
	h, err := syncproto.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return serveHandler(t, h)
}

func serveHandler(t *testing.T, h http.Handler) *netSite {
	t.Helper()
	network := new(memnet.Network)
	l, err := network.Listen("tcp", "sync:80")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", http.StripPrefix("/v1", h))
	srv := &http.Server{Handler: mux}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	transport := &http.Transport{DialContext: network.DialContext}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		srv.Close()
		network.Close()
		<-done
	})
	return &netSite{t, &http.Client{Transport: transport}, network}
}

// netDevice is a login over the network.
type netDevice struct {
	*netSite
	url, auth string
}

func (s *netSite) login(email string) *netDevice {
	s.t.Helper()
	res, err := s.client.PostForm("http://sync/v1/verify", url.Values{"assertion": {email + "?a=x"}, "audience": {"x"}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var v struct {
		URL  string `json:"collection_url"`
		Auth string `json:"http_authorization"`
	}
	if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
		s.t.Fatal(err)
	}
	return &netDevice{s, v.URL, v.Auth}
}

func (d *netDevice) request(method, query, body string, header ...string) *http.Response {
	d.t.Helper()
	r, err := http.NewRequest(method, d.url+query, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Authorization", d.auth)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := d.client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	return res
}

func (d *netDevice) text(method, query, body string, header ...string) (int, string) {
	d.t.Helper()
	res := d.request(method, query, body, header...)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// eventStream reads server-sent events.
type eventStream struct {
	t *testing.T
	*bufio.Scanner
	io.Closer
}

func (d *netDevice) stream(query string, header ...string) eventStream {
	d.t.Helper()
	res := d.request("GET", query, "", append(header, "Accept", "text/event-stream")...)
	if ct := res.Header.Get("Content-Type"); res.StatusCode != 200 || ct != "text/event-stream" {
		d.t.Fatalf("a stream: %d, %s", res.StatusCode, ct)
	}
	return eventStream{d.t, bufio.NewScanner(res.Body), res.Body}
}

// next returns the name of the next event, "" at the end of the stream.
func (e eventStream) next() (name, id string) {
	for e.Scan() {
		switch k, v, _ := strings.Cut(e.Text(), ": "); k {
		case "event":
			name = v
		case "id":
			id = v
		case "":
			if name != "" && v == "" {
				return name, id
			}
		}
	}
	return "", ""
}

// budget gives each request so much time.
func budget(h http.Handler, d time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), d)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}
