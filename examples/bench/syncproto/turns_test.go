package syncproto

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// A subject is one of those that are compared.
type subject struct {
	name string
	do   func(i int) error
}

// takeTurns measures subjects in turn, each call of do counting as ops
// operations, and compares them with the first.
func takeTurns(b *testing.B, ops int, subjects ...subject) {
	b.Helper()
	takeTurnsAfter(b, nil, ops, subjects...)
}

// takeTurnsAfter is takeTurns with something done, if before is not nil, ahead of
// each turn i of subject n.
func takeTurnsAfter(b *testing.B, before func(n, i int), ops int, subjects ...subject) {
	b.Helper()
	took := make([][]time.Duration, len(subjects))
	turn := func(i int) {
		for n := range subjects {
			n = (n + i) % len(subjects) // so that none is always after the same one
			if before != nil {
				before(n, i)
			}
			begin := time.Now()
			if err := subjects[n].do(i); err != nil {
				b.Fatalf("%s: %v", subjects[n].name, err)
			}
			took[n] = append(took[n], time.Since(begin))
		}
	}
	turn(0) // fills what is filled once
	for n := range took {
		took[n] = took[n][:0]
	}
	i := 0
	for b.Loop() {
		i++
		turn(i)
	}
	b.ReportMetric(0, "ns/op") // of all together, which means nothing
	var first float64
	for n, s := range subjects {
		slices.Sort(took[n])
		median := float64(took[n][len(took[n])/2]) / float64(ops)
		b.ReportMetric(median, s.name+"-ns")
		if n == 0 {
			first = median
			continue
		}
		b.ReportMetric(first/median, s.name+"-ratio")
	}
}

// wire is one connection of a client that costs as little as possible.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
}

func dial(b *testing.B, srv *httptest.Server) *wire {
	b.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &wire{conn, bufio.NewReader(conn)}
}

// request is what goes over the wire.
func request(method, target, auth, body string) []byte {
	var w bytes.Buffer
	fmt.Fprintf(&w, "%s %s HTTP/1.1\r\nHost: bench\r\nAuthorization: %s\r\n", method, target, auth)
	if method != http.MethodGet {
		fmt.Fprintf(&w, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	w.WriteString("\r\n" + body)
	return w.Bytes()
}

// send sends a request and returns how long the body of the answer is.
func (w *wire) send(request []byte) (int64, error) {
	if _, err := w.conn.Write(request); err != nil {
		return 0, err
	}
	res, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		return 0, fmt.Errorf("%s %s", res.Status, body)
	}
	return io.Copy(io.Discard, res.Body)
}

// sessions makes tokens without logging in.
var key = bytes.Repeat([]byte("k"), 32)

func serve(b *testing.B, store syncproto.Store) (*syncproto.Handler, *httptest.Server) {
	b.Helper()
	h, err := syncproto.New(syncproto.Config{
		Store: store, Verifier: verify.Plain{}, Development: true,
		Sessions: &syncproto.SignedSessions{Keys: [][]byte{key}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return h, server(b, h)
}

func server(b *testing.B, h http.Handler) *httptest.Server {
	srv := httptest.NewServer(h)
	b.Cleanup(srv.Close)
	return srv
}

// login returns a user's Authorization.
func login(b *testing.B, h http.Handler, user string) string {
	b.Helper()
	r := httptest.NewRequest("POST", "/verify", strings.NewReader("audience=x&assertion="+user+"?a=x"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	_, after, ok := strings.Cut(w.Body.String(), `"http_authorization":"`)
	auth, _, _ := strings.Cut(after, `"`)
	if !ok || auth == "" {
		b.Fatalf("login: %d %s", w.Code, w.Body)
	}
	return auth
}
