package framing_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/smtp"
	"strings"
	"sync"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

// A tap listens in on a connection.
type tap struct {
	net.Conn
	t             *testing.T
	conv          *framing.Conversation
	mu            sync.Mutex
	requests, got []span
}

func (c *tap) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.requests = join(c.requests, collect(c.t, c.conv.Requests, p, 1<<20))
	c.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	c.got = join(c.got, collect(c.t, c.conv.Replies, p[:n], 1<<20))
	c.mu.Unlock()
	return n, err
}

// join adds spans that may go on where the last ones stopped.
func join(a, b []span) []span {
	if len(a) > 0 && len(b) > 0 && a[len(a)-1].number == b[0].number {
		last := &a[len(a)-1]
		last.head += b[0].head
		last.body += b[0].body
		last.ended = b[0].ended
		if last.command == "" {
			last.command = b[0].command
		}
		b = b[1:]
	}
	return append(a, b...)
}

func (c *tap) commands() (requests, replies string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := func(spans []span) string {
		var names []string
		for _, s := range spans {
			name := s.command
			if s.number == 0 {
				name = "raw"
			} else if !s.ended {
				name += "..."
			}
			names = append(names, name)
		}
		return strings.Join(names, " ")
	}
	return names(c.requests), names(c.got)
}

// newTap connects to a server that serve is, on a network in memory.
func newTap(t *testing.T, conv *framing.Conversation, serve func(net.Listener)) *tap {
	t.Helper()
	n := &memnet.Network{}
	l, err := n.Listen("tcp", "server:1")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { serve(l) })
	c, err := n.Dial("tcp", "server:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Close()
		wg.Wait()
	})
	return &tap{Conn: c, t: t, conv: conv}
}

// What the client and the server of net/http say to each other is understood
// to the last byte.
func TestNetHTTP(t *testing.T) {
	c := newTap(t, framing.HTTP(), func(l net.Listener) {
		http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if r.URL.Path == "/chunked" {
				w.Header().Set("Trailer", "X")
				for range 3 {
					w.Write(bytes.Repeat([]byte("chunk"), 1000))
					w.(http.Flusher).Flush()
				}
				w.Header().Set("X", "y")
			}
			w.Write(body)
		}))
	})
	tr := &http.Transport{
		DialContext:           func(context.Context, string, string) (net.Conn, error) { return c, nil },
		MaxConnsPerHost:       1,
		ExpectContinueTimeout: 1e9,
	}
	defer tr.CloseIdleConnections()
	do := func(method, path string, body io.Reader, header ...string) {
		req, err := http.NewRequest(method, "http://server"+path, body)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	do("GET", "/", nil)
	do("HEAD", "/", nil)
	do("POST", "/", strings.NewReader("with a length"))
	do("POST", "/chunked", io.MultiReader(strings.NewReader("of unknown"), strings.NewReader(" length")))
	do("PUT", "/", strings.NewReader("expected"), "Expect", "100-continue")
	do("GET", "/chunked", nil)
	requests, replies := c.commands()
	if requests != "GET HEAD POST POST PUT GET" {
		t.Errorf("requests: %s", requests)
	}
	if replies != "200 200 200 200 100 200 200" {
		t.Errorf("replies: %s", replies)
	}
}

func TestGomemcache(t *testing.T) {
	c := newTap(t, framing.Memcached(), func(l net.Listener) {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for _, exchange := range [][2]string{
			{"set k 0 0 5\r\nhello\r\n", "STORED\r\n"},
			{"gets k j\r\n", "VALUE k 0 5 1\r\nhello\r\nVALUE j 0 7 2\r\nEND\r\nxy\r\nEND\r\n"},
			{"delete k\r\n", "DELETED\r\n"},
			{"incr n 1\r\n", "SERVER_ERROR out of memory\r\n"},
		} {
			p := make([]byte, len(exchange[0]))
			if _, err := io.ReadFull(in, p); err != nil || string(p) != exchange[0] {
				t.Errorf("the server got %q, %v", p, err)
				return
			}
			io.WriteString(conn, exchange[1])
		}
		io.Copy(io.Discard, conn)
	})
	defer c.Close()
	client := memcache.New("127.0.0.1:1")
	client.DialContext = func(context.Context, string, string) (net.Conn, error) { return c, nil }
	if err := client.Set(&memcache.Item{Key: "k", Value: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	items, err := client.GetMulti([]string{"k", "j"})
	if err != nil || string(items["j"].Value) != "END\r\nxy" {
		t.Fatalf("got %v, %v", items, err)
	}
	if err := client.Delete("k"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Increment("n", 1); err == nil {
		t.Error("no error")
	}
	if requests, replies := c.commands(); requests != "set gets delete incr" || replies != "STORED VALUE DELETED SERVER_ERROR" {
		t.Errorf("requests: %s, replies: %s", requests, replies)
	}
}

func TestNetSMTP(t *testing.T) {
	c := newTap(t, framing.SMTP(), func(l net.Listener) {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewScanner(conn)
		io.WriteString(conn, "220-hello\r\n220 there\r\n")
		mail := false
		for in.Scan() {
			verb, _, _ := strings.Cut(in.Text(), " ")
			switch {
			case mail:
				if in.Text() == "." {
					mail = false
					io.WriteString(conn, "250 queued\r\n")
				}
			case verb == "EHLO":
				io.WriteString(conn, "250-server\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n")
			case verb == "DATA":
				mail = true
				io.WriteString(conn, "354 go ahead\r\n")
			case verb == "QUIT":
				io.WriteString(conn, "221 bye\r\n")
				return
			default:
				fmt.Fprintf(conn, "250 %s\r\n", verb)
			}
		}
	})
	defer c.Close()
	client, err := smtp.NewClient(c, "server")
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return client.Hello("me") },
		func() error { return client.Mail("a@example.com") },
		func() error { return client.Rcpt("b@example.com") },
		func() error {
			w, err := client.Data()
			if err != nil {
				return err
			}
			io.WriteString(w, "Subject: x\r\n\r\n.a dot\r\nQUIT\r\n")
			return w.Close()
		},
		client.Quit,
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	requests, replies := c.commands()
	if requests != "EHLO MAIL RCPT DATA message QUIT" || replies != "220 250 250 250 354 250 221" {
		t.Errorf("requests: %s, replies: %s", requests, replies)
	}
}
