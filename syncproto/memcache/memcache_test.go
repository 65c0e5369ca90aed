package memcache_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/memcache"
	"github.com/brownout-go/brownout/syncproto/storetest"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func TestMain(m *testing.M) { leak.Main(m) }

func open(t *testing.T, c memcache.Config) *memcache.Client {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Second // a loaded machine is no dead memcached
	}
	mc, err := memcache.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mc.Close() })
	return mc
}

func cached(t *testing.T, mc *memcache.Client, s syncproto.Store) syncproto.Store {
	t.Helper()
	s, err := mc.Cached(s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestContract(t *testing.T) {
	srv := testserver.Memcached(t)
	storetest.Run(t, func(t *testing.T) syncproto.Store {
		mc := open(t, memcache.Config{Servers: []string{srv.Addr}, Prefix: strings.ReplaceAll(t.Name(), " ", "_")})
		return cached(t, mc, new(syncproto.Memory))
	})
	// Two servers over one database and one memcached.
	storetest.Histories(t, 5, 1, func(t *testing.T) []syncproto.Store {
		db := new(syncproto.Memory)
		c := memcache.Config{Servers: []string{srv.Addr}, Prefix: strings.ReplaceAll(t.Name(), " ", "_")}
		return []syncproto.Store{cached(t, open(t, c), db), cached(t, open(t, c), db)}
	})
}

// counted counts how often the state is asked for.
type counted struct {
	*syncproto.Memory
	n atomic.Int32
}

func (c *counted) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	c.n.Add(1)
	return c.Memory.State(ctx, key)
}

var apps = syncproto.Key{User: "ann@example.com", Collection: "apps"}

func push(t *testing.T, s syncproto.Store) syncproto.Result {
	t.Helper()
	res, err := s.Write(t.Context(), apps, syncproto.Write{Apps: []syncproto.App{{Origin: "a", Doc: json.RawMessage(`{}`)}}})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func state(t *testing.T, s syncproto.Store) syncproto.State {
	t.Helper()
	st, err := s.State(t.Context(), apps)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestStateIsShared(t *testing.T) {
	srv := testserver.Memcached(t)
	db := &counted{Memory: new(syncproto.Memory)}
	c := memcache.Config{Servers: []string{srv.Addr}}
	one, two := cached(t, open(t, c), db), cached(t, open(t, c), db)
	if st := state(t, one); st != (syncproto.State{}) {
		t.Errorf("%+v", st)
	}
	res := push(t, one)
	for range 10 {
		if st := state(t, two); st.Last != res.Time || st.UUID != res.UUID {
			t.Fatalf("%+v, want what the other server wrote, %+v", st, res)
		}
	}
	if n := db.n.Load(); n != 1 {
		t.Errorf("the database was asked %d times, want only before the first write", n)
	}
	if _, err := two.Write(t.Context(), apps, syncproto.Write{Delete: &syncproto.Deletion{ClientID: "x", Reason: "y"}}); err != nil {
		t.Fatal(err)
	}
	if st := state(t, one); st.Deleted == nil || *st.Deleted != (syncproto.Deletion{ClientID: "x", Reason: "y"}) || st.UUID != "" {
		t.Errorf("%+v, want the deletion", st)
	}
}

// late gives up on writes that happen later all the same, as a database does whose
// commit is under way when the context ends.
type late struct {
	*counted
	giveUp bool
	happen func()
}

func (l *late) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	if !l.giveUp {
		return l.Memory.Write(ctx, key, w)
	}
	l.happen = func() { l.Memory.Write(context.WithoutCancel(ctx), key, w) }
	return syncproto.Result{}, context.DeadlineExceeded
}

func TestWriteThatHappensAfterItFailed(t *testing.T) {
	srv := testserver.Memcached(t)
	db := &late{counted: &counted{Memory: new(syncproto.Memory)}}
	c := memcache.Config{Servers: []string{srv.Addr}, StateTTL: time.Hour}
	one, two := cached(t, open(t, c), db), cached(t, open(t, c), db)
	before := push(t, one).Time
	db.giveUp = true
	if _, err := one.Write(t.Context(), apps, syncproto.Write{Apps: []syncproto.App{{Origin: "b", Doc: json.RawMessage(`{}`)}}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	for range 2 { // the first would remember the state before the write
		if st := state(t, two); st.Last != before {
			t.Fatalf("state %v before the write happens, want %v", st.Last, before)
		}
	}
	db.happen()
	if st := state(t, two); st.Last <= before {
		t.Errorf("a poll is told of %v, and there was a write since", st.Last)
	}

	// What succeeds now comes after all that was given up.
	db.giveUp = false
	res := push(t, two)
	n := db.n.Load()
	for range 10 {
		if st := state(t, one); st.Last != res.Time {
			t.Errorf("state %v, want %v", st.Last, res.Time)
		}
	}
	if db.n.Load() != n {
		t.Errorf("10 looks after a write asked the database %d times", db.n.Load()-n)
	}
}

// A memcached that is gone, or frozen, or comes back with what it had, is no
// reason for a request to fail; a frozen one holds up one of many.
func TestMemcachedInTrouble(t *testing.T) {
	srv := testserver.Memcached(t)
	var dials atomic.Int32
	mc := open(t, memcache.Config{
		Servers: []string{srv.Addr}, Timeout: 50 * time.Millisecond, Pause: time.Hour,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	db := new(syncproto.Memory)
	s := cached(t, mc, db)
	marks := mc.Marks()
	push(t, s)
	state(t, s)
	srv.Freeze()
	defer srv.Thaw()
	for range 50 {
		res := push(t, s)
		if st := state(t, s); st.Last != res.Time {
			t.Fatalf("with memcached frozen: %+v after %+v", st, res)
		}
		if _, err := marks.Mark(t.Context(), "x"); err == nil {
			t.Fatal("a frozen memcached gave a mark")
		}
	}
	if _, err := marks.Begin(t.Context(), "x", 1); !errors.Is(err, memcache.ErrPaused) {
		t.Errorf("%v, want ErrPaused: a call that asks has to wait for an answer", err)
	}
	if n := dials.Load(); n > 3 {
		t.Errorf("it was dialled %d times while it was frozen", n)
	}
}

func TestMemcachedGone(t *testing.T) {
	srv := testserver.Memcached(t)
	mc := open(t, memcache.Config{Servers: []string{srv.Addr}, Pause: 1})
	s := cached(t, mc, new(syncproto.Memory))
	push(t, s)
	srv.Kill()
	res := push(t, s)
	if st := state(t, s); st.Last != res.Time {
		t.Errorf("%+v, want %+v", st, res)
	}
	srv.Start()
	res = push(t, s)
	if st := state(t, s); st.Last != res.Time {
		t.Errorf("once it is back: %+v, want %+v", st, res)
	}
}

func TestMarks(t *testing.T) {
	srv := testserver.Memcached(t)
	c := memcache.Config{Servers: []string{srv.Addr}}
	one, two := open(t, c).Marks(), open(t, c).Marks()
	ctx := t.Context()
	want := func(m syncproto.Marks, name string, until syncproto.Time) {
		t.Helper()
		if got, err := m.Mark(ctx, name); got != until || err != nil {
			t.Errorf("mark %s: %v, %v; want %v", name, got, err, until)
		}
	}
	name := "session id \x00 with anything/apps"
	want(one, name, 0)
	first, err := one.Begin(ctx, name, 100)
	if err != nil || first == 0 {
		t.Fatal(first, err)
	}
	want(two, name, 100)
	one.Advance(ctx, name, first, 200)
	want(two, name, 200)
	want(two, "other", 0)
	lost, _ := one.Begin(ctx, name, 200)
	again, _ := two.Begin(ctx, name, 200)
	if err := two.Advance(ctx, name, again, 300); err != nil {
		t.Error(err)
	}
	if err := one.Advance(ctx, name, lost, 400); err != nil {
		t.Error(err)
	}
	want(one, name, 300)
	if err := one.Advance(ctx, "forgotten", 1, 400); err != nil {
		t.Errorf("a mark that was forgotten: %v", err)
	}
	want(one, "forgotten", 0)
}

// A handler of one server takes over in the middle of a client's sync.
func TestTwoServersRepairReceived(t *testing.T) {
	srv := testserver.Memcached(t)
	db := new(syncproto.Memory)
	sessions := &syncproto.SignedSessions{Keys: [][]byte{make([]byte, 32)}}
	server := func() *syncproto.Handler {
		mc := open(t, memcache.Config{Servers: []string{srv.Addr}})
		h, err := syncproto.New(syncproto.Config{Store: cached(t, mc, db), Marks: mc.Marks(), Sessions: sessions, Verifier: verify.Plain{}, Development: true})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	one, two := server(), server()
	do := func(h *syncproto.Handler, auth, method, target, body string) map[string]any {
		t.Helper()
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.Header.Set("Authorization", auth)
		if target == "/verify" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var v map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return v
	}
	login := func(h *syncproto.Handler) string {
		return do(h, "", "POST", "/verify", "assertion=ann@example.com?a=x&audience=x")["http_authorization"].(string)
	}
	const url = "/collections/ann@example.com/apps"
	phone, laptop := login(one), login(two)
	do(one, phone, "POST", url, `[{"origin":"a"}]`)
	until := do(one, laptop, "GET", url, "")["until"]
	do(two, phone, "POST", url, `[{"origin":"missed"}]`)
	if got := do(two, laptop, "POST", url, `[{"origin":"mine"}]`)["received"]; got != until {
		t.Errorf("received %v, want %v, up to which the other server gave the laptop everything", got, until)
	}
}

func TestConfig(t *testing.T) {
	one := []string{"127.0.0.1:11211"}
	for field, c := range map[string]memcache.Config{
		"Servers":      {},
		"Prefix":       {Servers: one, Prefix: "a b"},
		"Timeout":      {Servers: one, Timeout: -1},
		"Pause":        {Servers: one, Pause: -1},
		"StateTTL":     {Servers: one, StateTTL: time.Millisecond},
		"MarksTTL":     {Servers: one, MarksTTL: 31 * 24 * time.Hour},
		"MaxIdleConns": {Servers: one, MaxIdleConns: -1},
	} {
		if _, err := memcache.New(c); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("bad %s: %v", field, err)
		}
	}
}
