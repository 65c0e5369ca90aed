package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/internal/testserver"
)

// testKillHistories: devices speak HTTP to two server processes on one
// database, over connections that lose requests and answers, and now a server
// is killed, now the other one, now the database. A nil db is a file, which
// nobody can kill.
func testKillHistories(t *testing.T, dsn string, db *testserver.Server) {
	f := &fleet{t: t, dsn: dsn, sessions: map[string]session{}}
	f.crashes = []func(){func() { f.restart(0) }, func() { f.restart(1) }}
	if db != nil {
		f.crashes = append(f.crashes, func() {
			killDatabase(t, dsn, db)
			db.Start()
		})
	}
	var faults atomic.Int64
	inj := faultconn.Injector{OnEvent: func(faultconn.Event) { faults.Add(1) }}
	for i := range f.clients {
		transport := &http.Transport{DialContext: inj.Dialer("clients", nil), MaxIdleConnsPerHost: 8}
		t.Cleanup(transport.CloseIdleConnections)
		f.clients[i] = &http.Client{Transport: transport, Timeout: 5 * time.Second}
		f.restart(i)
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
	all := histories(t, badDays, 3000, wire{f, 0}, wire{f, 1})
	if unfired := inj.Unfired(); all && (len(unfired) > 0 || f.crashed < 2*len(f.crashes)) {
		t.Errorf("%d crashes, rules that never struck: %v", f.crashed, unfired)
	}
	t.Logf("%d requests, %d faults on their connections, %d crashes", f.requests.Load(), faults.Load(), f.crashed)
}

const requestsEach = 80 // between two crashes

// fleet is two server processes on one database.
type fleet struct {
	t        *testing.T
	dsn      string
	clients  [2]*http.Client // one for each, so that a server's end is its own
	crashes  []func()
	requests atomic.Int64
	crashed  int

	mu       sync.Mutex
	servers  [2]*child
	crashing bool
	sessions map[string]session
}

func (f *fleet) base(server int) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.servers[server].base
}

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
	return f.base(server)
}

// restart kills a server, if there is one, and starts another in its place, at
// another address.
func (f *fleet) restart(server int) {
	f.mu.Lock()
	old := f.servers[server]
	f.mu.Unlock()
	if old != nil {
		old.kill()
	}
	fresh := start(f.t, f.dsn)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.servers[server] = fresh
}

// unexpected is an answer that is no result. Only that something does not work
// now is an excuse.
func (f *fleet) unexpected(what string, res *http.Response, body []byte) error {
	err := fmt.Errorf("%s: %s: %s", what, res.Status, body)
	if res.StatusCode != http.StatusServiceUnavailable {
		f.t.Error(err)
	}
	return err
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
