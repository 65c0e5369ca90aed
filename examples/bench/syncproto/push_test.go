package syncproto

import (
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/brownout-go/brownout/syncproto/sqlstore"
)

// batch is how many pushes one turn is.
const batch = 64

// BenchmarkPush is a POST of one app over loopback, beside the least that a
// transaction of one row costs with the same driver and the same durability:
// one client, and sixteen, between which nothing is shared but the server.
func BenchmarkPush(b *testing.B) {
	b.Run("flushed", func(b *testing.B) {
		takeTurns(b, batch, subject{"raw", raw(b, full)}, subject{"alone", pushes(b, full, 1)}, subject{"at-once", pushes(b, full, 16)})
	})
	// As PocketBase has its database: no flush at a commit.
	b.Run("unflushed", func(b *testing.B) {
		pb := openPocketBase(b)
		takeTurns(b, batch, subject{"raw", raw(b, normal)}, subject{"alone", pushes(b, normal, 1)}, subject{"at-once", pushes(b, normal, 16)},
			subject{"pocketbase-alone", pb.upserts(b, 1)}, subject{"pocketbase-at-once", pb.upserts(b, 16)})
	})
}

// raw writes rows with the driver, one transaction each.
func raw(b *testing.B, params string) func(int) error {
	connector, _, err := sqlstore.Connector("sqlite:" + filepath.Join(b.TempDir(), "raw.db") + params)
	if err != nil {
		b.Fatal(err)
	}
	db := sql.OpenDB(connector)
	b.Cleanup(func() { db.Close() })
	for _, q := range []string{
		"PRAGMA journal_mode = wal",
		"CREATE TABLE r (account TEXT, collection TEXT, origin TEXT, written INTEGER, doc BLOB, PRIMARY KEY (account, collection, origin)) WITHOUT ROWID",
		"CREATE INDEX i ON r (account, collection, written)",
	} {
		if _, err := db.Exec(q); err != nil {
			b.Fatal(err)
		}
	}
	doc := []byte(document(0))
	return func(turn int) error {
		for i := range batch {
			tx, err := db.BeginTx(b.Context(), nil)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(b.Context(), "INSERT INTO r VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET written = excluded.written, doc = excluded.doc",
				user((turn*batch+i)%users), "apps", origin(turn%10), turn, doc); err != nil {
				return errors.Join(err, tx.Rollback())
			}
			if err := tx.Commit(); err != nil {
				return err
			}
		}
		return nil
	}
}

// pushes sends a batch of pushes from so many clients. They go round the users,
// for one collection takes a hundred writes a second.
func pushes(b *testing.B, params string, clients int) func(int) error {
	store, _ := openSQLite(b, params)
	h, srv := serve(b, store)
	var posts [users][10][]byte
	for u := range posts {
		auth := login(b, h, user(u))
		for i := range posts[u] {
			posts[u][i] = request("POST", target(user(u)), auth, "["+document(i)+"]")
		}
	}
	return split(b, clients, func() *wire { return dial(b, srv) }, func(turn, i int) []byte {
		return posts[(turn*batch+i)%users][turn%10]
	})
}

// split sends a batch, split among clients.
func split(b *testing.B, clients int, dial func() *wire, request func(turn, i int) []byte) func(turn int) error {
	wires := make([]*wire, clients)
	for c := range wires {
		wires[c] = dial()
	}
	return func(turn int) error {
		var wg sync.WaitGroup
		errs := make([]error, clients)
		for c := range clients {
			wg.Go(func() {
				for i := c; i < batch; i += clients {
					if _, err := wires[c].send(request(turn, i)); err != nil {
						errs[c] = err
						return
					}
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	}
}
