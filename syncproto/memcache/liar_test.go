package memcache_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/memcache"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

// liar stands between a client and a memcached, and changes the values that come
// back. Nil is no value.
type liar struct {
	mu  sync.Mutex
	lie func(key string, value []byte) []byte
}

func (l *liar) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &lyingConn{Conn: c, l: l, r: bufio.NewReader(c)}, nil
}

func (l *liar) set(lie func(key string, value []byte) []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lie = lie
}

type lyingConn struct {
	net.Conn
	l    *liar
	r    *bufio.Reader
	left []byte // of an answer
	key  string // asked for, and no value seen yet
}

func (c *lyingConn) Write(b []byte) (int, error) {
	if f := strings.Fields(string(b)); f[0] == "gets" {
		c.key = f[1]
	}
	return c.Conn.Write(b)
}

func (c *lyingConn) Read(b []byte) (int, error) {
	if len(c.left) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.left)
	c.left = c.left[n:]
	return n, nil
}

// next reads a line, or a value.
func (c *lyingConn) next() error {
	line, err := c.r.ReadBytes('\n')
	if err != nil {
		return err
	}
	var (
		value       []byte
		flags, size int
		cas         uint64
	)
	if bytes.HasPrefix(line, []byte("VALUE ")) {
		if _, err := fmt.Sscanf(string(line), "VALUE "+c.key+" %d %d %d\r\n", &flags, &size, &cas); err != nil {
			return err
		}
		value = make([]byte, size+2)
		if _, err := io.ReadFull(c.r, value); err != nil {
			return err
		}
		value = value[:size]
		if line, err = c.r.ReadBytes('\n'); err != nil { // END
			return err
		}
	}
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	if c.key != "" && c.l.lie != nil {
		value = c.l.lie(c.key, value)
	}
	if value != nil {
		c.left = fmt.Appendf(nil, "VALUE %s %d %d %d\r\n%s\r\n", c.key, flags, len(value), cas, value)
	}
	c.left, c.key = append(c.left, line...), ""
	return nil
}

// Whatever of a value is not what was put there, it is not believed: a state is
// read from the database, and of a mark there is none.
func TestDamagedValues(t *testing.T) {
	srv := testserver.Memcached(t)
	l := new(liar)
	mc := open(t, memcache.Config{Servers: []string{srv.Addr}, StateTTL: time.Hour, DialContext: l.DialContext})
	db := &counted{Memory: new(syncproto.Memory)}
	s, marks := cached(t, mc, db), mc.Marks()
	const name, until = "session/apps", syncproto.Time(1323084512_10)

	others := map[string][]byte{} // by kind: of another collection, or session
	l.set(func(key string, value []byte) []byte {
		if value != nil {
			others[strings.Split(key, ":")[1]] = value
		}
		return value
	})
	other := syncproto.Key{User: "bob@example.com", Collection: "apps"}
	if _, err := s.Write(t.Context(), other, syncproto.Write{Apps: []syncproto.App{{Origin: "b", Doc: []byte(`{}`)}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.State(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := marks.Begin(t.Context(), "other", until+1); err != nil {
		t.Fatal(err)
	}
	if m, err := marks.Mark(t.Context(), "other"); m != until+1 || err != nil {
		t.Fatal(m, err)
	}
	if len(others) != 2 {
		t.Fatalf("%d kinds of values, want marks and states", len(others))
	}
	l.set(nil)

	lies := map[string]func(key string, v []byte) []byte{
		"empty":         func(_ string, v []byte) []byte { return []byte{} },
		"cut":           func(_ string, v []byte) []byte { return v[:max(1, len(v))-1] },
		"half":          func(_ string, v []byte) []byte { return v[:len(v)/2] },
		"longer":        func(_ string, v []byte) []byte { return append(v, '0') },
		"first byte":    func(_ string, v []byte) []byte { return v[1:] },
		"zeros":         func(_ string, v []byte) []byte { return make([]byte, len(v)) },
		"a mebibyte":    func(_ string, v []byte) []byte { return append(make([]byte, 1<<20-len(v)), v...) },
		"too large":     func(_ string, v []byte) []byte { return append(make([]byte, 1<<20), v...) },
		"words":         func(_ string, v []byte) []byte { return []byte("SERVER_ERROR\r\nEND\r\n") },
		"another key's": func(key string, v []byte) []byte { return others[strings.Split(key, ":")[1]] },
		"another kind's": func(key string, v []byte) []byte {
			return others[map[string]string{"mark": "state", "state": "mark"}[strings.Split(key, ":")[1]]]
		},
	}
	for bit := range 8 * 256 { // more than there are
		lies[fmt.Sprint("bit ", bit)] = func(_ string, v []byte) []byte {
			if v = bytes.Clone(v); bit/8 >= len(v) {
				return nil
			}
			v[bit/8] ^= 1 << (bit % 8)
			return v
		}
	}
	push(t, s)
	want := state(t, s)
	for what, lie := range lies {
		l.set(nil)
		if _, err := marks.Begin(t.Context(), name, until); err != nil {
			t.Fatal(err)
		}
		if m, err := marks.Mark(t.Context(), name); m != until || err != nil {
			t.Fatalf("before %s: %v, %v", what, m, err)
		}
		if st := state(t, s); st != want {
			t.Fatalf("before %s: %+v, want %+v", what, st, want)
		}
		before := db.n.Load()
		l.set(lie)
		if st := state(t, s); st != want || db.n.Load() != before+1 {
			t.Fatalf("%s: %+v, want %+v, and from the database, which was asked %d times", what, st, want, db.n.Load()-before)
		}
		if m, _ := marks.Mark(t.Context(), name); m != 0 {
			t.Fatalf("%s: a mark of %v", what, m)
		}
		if what == "too large" { // which is no answer at all, and makes a pause
			mc = open(t, memcache.Config{Servers: []string{srv.Addr}, StateTTL: time.Hour, DialContext: l.DialContext})
			s, marks = cached(t, mc, db), mc.Marks()
		}
	}
	// What was damaged is replaced, also by a write.
	l.set(nil)
	state(t, s)
	l.set(lies["cut"])
	want = syncproto.State{Last: push(t, s).Time, UUID: want.UUID}
	l.set(nil)
	before := db.n.Load()
	if st := state(t, s); st != want || db.n.Load() != before {
		t.Errorf("%+v, want %+v, and not from the database", st, want)
	}
}

// One flipped bit can make of a size one that no machine has: a space into a 0.
func TestSizeIsBounded(t *testing.T) {
	for _, size := range []string{"0" + "57012345678901", "-5", "99999999999999999999", "1048577", "x", ""} {
		addr := serveAnswer(t, "VALUE k 0 "+size+"\r\nabc\r\nEND\r\n")
		mc := open(t, memcache.Config{Servers: []string{addr}})
		if m, err := mc.Marks().Mark(t.Context(), "k"); m != 0 || err == nil {
			t.Errorf("size %q: %v, %v; want an error", size, m, err)
		}
	}
}

// serveAnswer answers every line with the same.
func serveAnswer(t *testing.T, answer string) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for lines := bufio.NewScanner(c); lines.Scan(); {
				if _, err := c.Write([]byte(answer)); err != nil {
					break
				}
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

// A state that memcached keeps beyond its time is not believed either.
func TestOldState(t *testing.T) {
	srv := testserver.Memcached(t)
	l := new(liar)
	mc := open(t, memcache.Config{Servers: []string{srv.Addr}, StateTTL: time.Second, DialContext: l.DialContext})
	db := new(syncproto.Memory)
	s := cached(t, mc, db)
	push(t, s)
	var old []byte
	l.set(func(_ string, v []byte) []byte {
		if old == nil {
			old = v
		}
		return old
	})
	was := state(t, s)
	want := push(t, db) // by a server that cannot reach memcached
	begin := time.Now()
	for {
		st := state(t, s)
		if st.Last == want.Time {
			return
		}
		if st != was {
			t.Fatalf("%+v, want %+v or %+v", st, was, want)
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("it is believed for ever")
		}
	}
}

// Two servers whose memcached lies about every third value serve what is so.
func TestHistoriesOfALiar(t *testing.T) {
	srv := testserver.Memcached(t)
	storetest.ServiceHistories(t, 10, 1, func(t *testing.T) storetest.Service {
		db := new(syncproto.Memory)
		s := storetest.Service{Late: time.Second}
		for i := range uint64(2) {
			l := &liar{lie: randomLies(rand.New(rand.NewPCG(1, i)))}
			mc := open(t, memcache.Config{
				Servers: []string{srv.Addr}, Prefix: strings.ReplaceAll(t.Name(), " ", "_"),
				StateTTL: time.Second, DialContext: l.DialContext,
			})
			h, err := storetest.Handler(syncproto.Config{
				Store: cached(t, mc, db), Marks: mc.Marks(),
				Sessions: &syncproto.SignedSessions{Keys: [][]byte{make([]byte, 32)}},
			})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(h)
			t.Cleanup(server.Close)
			transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
			}}
			t.Cleanup(transport.CloseIdleConnections)
			s.Servers = append(s.Servers, transport)
		}
		return s
	})
}

// randomLies gives, instead of a value, none, an old one, that of another key, or
// a damaged one.
func randomLies(rng *rand.Rand) func(key string, value []byte) []byte {
	known := map[string][][]byte{}
	var all [][]byte
	return func(key string, value []byte) []byte {
		if value != nil {
			known[key] = append(known[key], value)
			all = append(all, value)
		}
		old := known[key]
		if len(old) == 0 || rng.IntN(3) > 0 {
			return value
		}
		value = bytes.Clone(old[rng.IntN(len(old))])
		switch rng.IntN(6) {
		case 0:
			return nil
		case 1:
			return all[rng.IntN(len(all))]
		case 2:
			return value[:rng.IntN(len(value))]
		case 3:
			value[rng.IntN(len(value))] ^= 1 << rng.IntN(8)
		case 4:
			return append(value, make([]byte, 100_000)...)
		}
		return value
	}
}
