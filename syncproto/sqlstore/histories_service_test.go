package sqlstore

import (
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/memcache"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

// testService: devices of all kinds speak HTTP to three servers on one database
// and one memcached, all at once over connections that lose requests and answers.
// Two servers are processes that are killed now and then, the third has a clock
// that is set again and again; the database and memcached are killed too, and
// what comes from memcached is damaged, late and cut off. A nil db is a file,
// which nobody can kill.
func testService(t *testing.T, dsn string, db *testserver.Server) {
	cache := testserver.Memcached(t)
	wrong := newSkewed(t, dsn)
	f := &fleet{t: t, dsn: dsn, cache: cache.Addr}
	f.crashes = []func(){
		func() { f.restart(0) },
		func() { f.restart(1) },
		func() { cache.Kill(); cache.Start() },
	}
	if db != nil {
		f.crashes = append(f.crashes, func() {
			killDatabase(t, dsn, db)
			db.Start()
		})
	}
	f.restart(0)
	f.restart(1)
	spoiled := f.serve(wrong)

	var faults atomic.Int64
	inj := faultconn.Injector{OnEvent: func(faultconn.Event) { faults.Add(1) }}
	s := storetest.Service{Late: stateTTL}
	for i := range f.servers {
		transport := &http.Transport{DialContext: inj.Dialer("clients", nil), MaxIdleConnsPerHost: 8}
		t.Cleanup(transport.CloseIdleConnections)
		s.Servers = append(s.Servers, f.server(i, transport))
	}
	on := func(kind ...faultconn.OpKind) faultconn.Select { return faultconn.Select{Ops: kind} }
	undo, err := inj.With(faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{
		{Name: "lost request", Select: on(faultconn.OpWrite), Chance: 0.02, Fault: fault.Reset{}},
		{Name: "lost answer", Chance: 0.04, Fault: fault.Abort{}},
		{Name: "lost part of an answer", Select: on(faultconn.OpRead), Scope: faultconn.PerByte, Chance: 0.0001, Fault: fault.Close{}},
		{Name: "slow", Chance: 0.1, Fault: fault.Delay{For: 5 * time.Millisecond, Jitter: 5 * time.Millisecond}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer undo()
	made := 0
	storetest.ServiceHistories(t, badDays, 3000, func(*testing.T) storetest.Service {
		made++
		return s
	})
	if made >= badDays { // and not only those that -run asks for
		unfired := append(inj.Unfired(), spoiled.Unfired()...)
		if len(unfired) > 0 || f.crashed < 2*len(f.crashes) || wrong.steps < len(skews) {
			t.Errorf("%d crashes, %d settings of the clock, rules that never struck: %v", f.crashed, wrong.steps, unfired)
		}
	}
	t.Logf("%d requests, %d faults on their connections, %d crashes, %d settings of the clock", f.requests.Load(), faults.Load(), f.crashed, wrong.steps)
}

const (
	requestsEach = 120         // between two crashes
	stateTTL     = time.Second // for which a cached state is believed
)

// historyServer is what each server of a service under test serves. Its
// connections to memcached are bad.
func historyServer(s syncproto.Store, sessions syncproto.Sessions, cache string, seed uint64) (http.Handler, *faultconn.Injector, error) {
	inj := new(faultconn.Injector)
	mc, err := memcache.New(memcache.Config{
		Servers: []string{cache}, StateTTL: stateTTL, Timeout: 200 * time.Millisecond, Pause: time.Millisecond,
		DialContext: inj.Dialer("memcached", nil),
	})
	if err != nil {
		return nil, nil, err
	}
	if _, err := inj.With(faultconn.Plan{Seed: seed, Rules: []faultconn.Rule{
		{Name: "damaged", Scope: faultconn.PerByte, Chance: 0.0005, Fault: fault.Corrupt{}},
		{Name: "cut off", Scope: faultconn.PerByte, Chance: 0.0001, Fault: fault.Abort{}},
		{Name: "slow", Chance: 0.02, Fault: fault.Delay{For: 5 * time.Millisecond, Jitter: 5 * time.Millisecond}},
	}}); err != nil {
		return nil, nil, err
	}
	cached, err := mc.Cached(s)
	if err != nil {
		return nil, nil, err
	}
	h, err := storetest.Handler(syncproto.Config{Store: cached, Marks: mc.Marks(), Sessions: sessions})
	return h, inj, err
}

// fleet is the servers on one database: two processes and a handler in this one.
type fleet struct {
	t        *testing.T
	dsn      string
	cache    string
	crashes  []func()
	requests atomic.Int64
	crashed  int

	mu       sync.Mutex
	children [2]*child
	servers  [3]string // where they are
	crashing bool
}

// serve serves a store as the third server, and returns the faults that it has.
func (f *fleet) serve(s syncproto.Store) *faultconn.Injector {
	f.t.Helper()
	db, err := Open(f.t.Context(), f.dsn)
	if err != nil {
		f.t.Fatal(err)
	}
	secret, err := db.Secret(f.t.Context())
	if err := errors.Join(err, db.Close()); err != nil { // before it is killed
		f.t.Fatal(err)
	}
	h, inj, err := historyServer(s, &syncproto.SignedSessions{Keys: [][]byte{secret}}, f.cache, 1)
	if err != nil {
		f.t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	f.t.Cleanup(srv.Close)
	f.servers[2] = srv.Listener.Addr().String()
	return inj
}

// server sends requests to one of them, wherever it is by then.
func (f *fleet) server(i int, transport http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		r = r.Clone(r.Context())
		r.URL.Host = f.ask(i)
		return transport.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// ask returns where the server is, for one more request. From time to time the
// one who asks kills something first, while the others go on.
func (f *fleet) ask(server int) string {
	if n := f.requests.Add(1); n%requestsEach == 0 {
		f.mu.Lock()
		mine := !f.crashing
		f.crashing = true
		f.mu.Unlock()
		if mine {
			f.crashes[f.crashed%len(f.crashes)]()
			f.mu.Lock()
			f.crashing = false
			f.crashed++
			f.mu.Unlock()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.servers[server]
}

// restart kills a server, if there is one, and starts another in its place, at
// another address.
func (f *fleet) restart(server int) {
	f.mu.Lock()
	old := f.children[server]
	f.mu.Unlock()
	if old != nil {
		old.kill()
	}
	fresh := start(f.t, f.dsn, cacheEnv+"="+f.cache)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.children[server], f.servers[server] = fresh, strings.TrimPrefix(fresh.base, "http://")
}

// killDatabase kills the database and all that belongs to it. The processes of
// PostgreSQL would see that they are orphans, each when it next looks.
func killDatabase(t *testing.T, dsn string, db *testserver.Server) {
	var pids []int
	if strings.HasPrefix(dsn, "postgres") {
		s, err := Open(t.Context(), dsn)
		if err != nil {
			t.Error(err)
			return
		}
		err = s.rows(t.Context(), "SELECT pid FROM pg_stat_activity", nil, func(rows *sql.Rows) error {
			var pid int
			err := rows.Scan(&pid)
			pids = append(pids, pid)
			return err
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Error(err)
		}
	}
	db.Kill()
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
	}
}
