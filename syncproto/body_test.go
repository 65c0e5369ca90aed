package syncproto_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// brokenBody fails when it is read.
type brokenBody struct{ err error }

func (b brokenBody) Read([]byte) (int, error) { return 0, b.err }

// A body that does not come is the same to all who wait for one: too long by what
// the client announces, and then nobody waits for it, late, or cut off.
func TestBodyThatDoesNotCome(t *testing.T) {
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(path, auth string, length int64, body io.Reader) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, body)
		r.ContentLength = length
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	var session struct {
		Auth string `json:"http_authorization"`
	}
	unmarshal(t, ask("/verify", "", -1, strings.NewReader("assertion=ann@example.com%3Fa%3Dx&audience=x")).Body.Bytes(), &session)

	const apps = "/collections/ann@example.com/apps"
	for _, c := range []struct {
		what   string
		length int64
		err    error
		status int
		code   int
	}{
		{"much too long", 1 << 30, fmt.Errorf("it is read"), 413, syncproto.CodeTooLarge},
		{"late", 100, os.ErrDeadlineExceeded, 408, syncproto.CodeJSON},
		{"cut off", 100, io.ErrUnexpectedEOF, 400, syncproto.CodeJSON},
	} {
		for _, path := range []string{"/verify", apps, apps + "?delete"} {
			w := ask(path, session.Auth, c.length, brokenBody{c.err})
			var said struct {
				Code *int
				Msg  string
			}
			unmarshal(t, w.Body.Bytes(), &said)
			if w.Code != c.status || said.Code == nil || *said.Code != c.code {
				t.Errorf("POST %s with a body that is %s: %d %s, want %d and code %d", path, c.what, w.Code, w.Body, c.status, c.code)
			}
		}
	}
}

// A client that asks before it sends a body is not told to go on with one that
// will be refused.
func TestExpectContinue(t *testing.T) {
	site := serve(t, syncproto.Config{})
	ann := site.login("ann@example.com")
	for _, c := range []struct {
		length int
		want   int
	}{{1000, http.StatusContinue}, {5 << 20, http.StatusRequestEntityTooLarge}} {
		conn, err := site.network.Dial("tcp", "sync:80")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/collections/ann@example.com/apps HTTP/1.1\r\nHost: sync\r\nAuthorization: %s\r\n"+
			"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n", ann.auth, c.length)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != c.want {
			t.Errorf("asked to send %d bytes: %s, want %d", c.length, resp.Status, c.want)
		}
	}
}

// A client that looks for an answer only when it has sent everything finds the
// one that came before, if its body is not beyond measure.
func TestRefusedBodyIsTakenIn(t *testing.T) {
	site := serve(t, syncproto.Config{})
	ann := site.login("ann@example.com")
	conn, err := site.network.Dial("tcp", "sync:80")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const length = 5 << 20
	fmt.Fprintf(conn, "POST /v1/collections/ann@example.com/apps HTTP/1.1\r\nHost: sync\r\nAuthorization: %s\r\n"+
		"Content-Length: %d\r\n\r\n", ann.auth, length)
	if _, err := conn.Write(make([]byte, length)); err != nil {
		t.Fatalf("while it sends: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%s, want 413", resp.Status)
	}
}
