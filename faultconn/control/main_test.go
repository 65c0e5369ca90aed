package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/testserver"
)

func TestMain(m *testing.M) { leak.Main(m) }

// echo is an upstream that sends back what it gets.
func echo(t testing.TB) string { return testserver.Echo(t) }

// fixture is a server with one proxy in front of an echo, and its API.
type fixture struct {
	*testing.T
	*Server
	url string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s := &Server{}
	if err := s.Add(Proxy{Name: "db", Upstream: echo(t)}); err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		h.Close()
	})
	return &fixture{t, s, h.URL}
}

// call sends a request and wants a status. It returns the body.
func (f *fixture) call(method, path, body string, want int, headers ...string) string {
	f.Helper()
	req, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.Fatal(err)
	}
	if resp.StatusCode != want {
		f.Errorf("%s %s %s: status %d, want %d: %s", method, path, body, resp.StatusCode, want, text)
	}
	return strings.TrimSpace(string(text))
}

func (f *fixture) proxy(name string) Proxy {
	f.Helper()
	for _, p := range f.Proxies() {
		if p.Name == name {
			return p
		}
	}
	f.Fatalf("there is no proxy %q", name)
	return Proxy{}
}

type client struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (f *fixture) dial() *client { f.Helper(); return f.dialAt(f.proxy("db").Listen) }

func (f *fixture) dialAt(address string) *client {
	f.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &client{f.T, c, bufio.NewReader(c)}
}

// ask sends a line and returns the one that comes back.
func (c *client) ask(line string) (string, error) {
	if _, err := fmt.Fprintln(c, line); err != nil {
		return "", err
	}
	got, err := c.in.ReadString('\n')
	return strings.TrimSuffix(got, "\n"), err
}

func (c *client) mustAsk() {
	c.t.Helper()
	if got, err := c.ask("hello"); err != nil || got != "hello" {
		c.t.Fatalf("asked hello: %q, %v", got, err)
	}
}

// ended reports how the connection ended: "fin", "rst" or, within the time
// that is given, not at all.
func (c *client) ended(within time.Duration) string {
	_ = c.SetReadDeadline(time.Now().Add(within))
	for {
		_, err := c.in.ReadByte()
		var n net.Error
		switch {
		case err == nil:
		case err == io.EOF:
			return "fin"
		case errors.As(err, &n) && n.Timeout():
			return "open"
		default:
			return "rst"
		}
	}
}

func parse[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// touch makes one exchange, if it can within a moment.
func touch(address string) error {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := io.WriteString(c, "x\n"); err != nil {
		return err
	}
	_, err = bufio.NewReader(c).ReadString('\n')
	return err
}
