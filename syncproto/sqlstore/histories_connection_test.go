package sqlstore

import (
	"context"
	"database/sql"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/syncproto"
)

// testBadConnections: two servers whose connections to the database are reset
// before a statement has arrived, after it was carried out and before the
// answer was there, are slow, and go silent for longer than anybody waits.
func testBadConnections(t *testing.T, dsn string) {
	var faults atomic.Int64
	inj := faultconn.Injector{OnEvent: func(faultconn.Event) { faults.Add(1) }}
	stores := make([]syncproto.Store, 2)
	for i := range stores {
		connector, dialect, err := DialConnector(dsn, inj.Dialer("database", nil))
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		t.Cleanup(func() { db.Close() })
		limit(db, dialect)
		s, err := New(t.Context(), db, dialect)
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = bounded{s, time.Second}
	}
	on := func(kind ...faultconn.OpKind) faultconn.Select { return faultconn.Select{Ops: kind} }
	undo, err := inj.With(faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{
		{Name: "lost request", Select: on(faultconn.OpWrite), Chance: 0.01, Fault: fault.Reset{}},
		{Name: "lost reply", Chance: 0.01, Fault: fault.Abort{}},
		{Name: "lost part of a reply", Select: on(faultconn.OpRead), Scope: faultconn.PerByte, Chance: 0.0001, Fault: fault.Close{}},
		{Name: "refused", Select: on(faultconn.OpDial), Chance: 0.1, Fault: fault.Refuse{}},
		{Name: "slow", Chance: 0.05, Fault: fault.Delay{For: 5 * time.Millisecond, Jitter: 5 * time.Millisecond}},
		{Name: "silent", When: faultconn.When{Every: 1000}, Fault: fault.Hang{}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer undo()
	all := histories(t, badDays, 2000, stores...)
	if unfired := inj.Unfired(); all && len(unfired) > 0 {
		t.Errorf("rules that never struck: %v", unfired)
	}
	t.Logf("%d faults", faults.Load())
}

// bounded gives calls no longer than a server would.
type bounded struct {
	*Store
	most time.Duration
}

func (b bounded) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	ctx, cancel := context.WithTimeout(ctx, b.most)
	defer cancel()
	return b.Store.State(ctx, key)
}

func (b bounded) Read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int, begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, b.most)
	defer cancel()
	return b.Store.Read(ctx, key, since, limit, begin, each)
}

func (b bounded) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, b.most)
	defer cancel()
	return b.Store.Write(ctx, key, w)
}

func (b bounded) Apply(ctx context.Context, key syncproto.Key, ch syncproto.Change) error {
	ctx, cancel := context.WithTimeout(ctx, b.most)
	defer cancel()
	return b.Store.Apply(ctx, key, ch)
}

func (b bounded) Collections(ctx context.Context, user string) ([]syncproto.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, b.most)
	defer cancel()
	return b.Store.Collections(ctx, user)
}
