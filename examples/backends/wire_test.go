package backends

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn/framing"
)

// recording is what passed over one connection, by direction.
type recording struct {
	mu    sync.Mutex
	bytes [2][]byte
	turns []turn
}

// turn is how many bytes went in a direction at once.
type turn struct {
	reply bool
	n     int
}

func (r *recording) add(reply bool, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := 0
	if reply {
		i = 1
	}
	r.bytes[i] = append(r.bytes[i], b...)
	r.turns = append(r.turns, turn{reply, len(b)})
}

var captures = flag.String("captures", "", "write what passes to this `folder` as seeds for framing's FuzzStreams")

// save adds the recording to the seeds of the framers' fuzz test.
func (r *recording) save(t *testing.T, name string) {
	if *captures == "" {
		return
	}
	text := fmt.Sprintf("go test fuzz v1\n[]byte(%q)\n[]byte(%q)\nbyte('\\x06')\n", r.bytes[0], r.bytes[1])
	if err := os.WriteFile(filepath.Join(*captures, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

type recorded struct {
	net.Conn
	r *recording
}

func (c recorded) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.r.add(true, b[:n])
	return n, err
}

func (c recorded) Write(b []byte) (int, error) {
	c.r.add(false, b)
	return c.Conn.Write(b)
}

// What real clients and real servers say to each other is understood to the
// last byte, however it is cut.
func TestWireIsUnderstood(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			addr := b.start(t)
			var mu sync.Mutex
			var all []*recording
			err := b.use(addr, func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := plain(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				r := &recording{}
				mu.Lock()
				all = append(all, r)
				mu.Unlock()
				return recorded{c, r}, nil
			}, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if len(all) == 0 {
				t.Fatal("the client has not dialled")
			}
			var seen []string
			for i, r := range all {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.save(t, fmt.Sprintf("real-%s-%d", b.name, i+1))
				want := messages(t, b.name, r, 1<<20)
				for _, n := range []int{1, 2, 3, 7, 100} {
					if got := messages(t, b.name, r, n); !slices.Equal(got, want) {
						t.Errorf("cut to pieces of %d: %v\nwhole: %v", n, got, want)
					}
				}
				seen = append(seen, want...)
			}
			for _, c := range b.commands {
				if !slices.Contains(seen, c) {
					t.Errorf("%s was not seen among %v", c, seen)
				}
			}
		})
	}
}

// messages plays the recording in pieces of at most n bytes, and returns the
// commands of both directions in the order in which their messages ended.
func messages(t *testing.T, protocol string, r *recording, n int) []string {
	t.Helper()
	conv := map[string]func() *framing.Conversation{
		"http": framing.HTTP, "memcached": framing.Memcached, "redis": framing.Redis, "mysql": framing.MySQL,
		"postgres": framing.Postgres, "smtp": framing.SMTP, "ldap": framing.LDAP,
	}[protocol]()
	var ended []string
	rest := r.bytes
	open := [2]bool{}
	for _, turn := range r.turns {
		i, s := 0, conv.Requests
		if turn.reply {
			i, s = 1, conv.Replies
		}
		data := rest[i][:turn.n]
		rest[i] = rest[i][turn.n:]
		for len(data) > 0 {
			part := s.Next(data[:min(n, len(data))])
			if part.Section == framing.Raw {
				t.Fatalf("not understood after %v: %q", ended, data)
			}
			data = data[part.N:]
			if open[i] = !part.End; part.End {
				ended = append(ended, part.Command)
			}
		}
	}
	if open[0] || open[1] {
		t.Errorf("unfinished messages at the end, after %v", ended)
	}
	return ended
}
