package syncproto

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/sqlstore"
)

// batch is how many pushes one turn is.
const batch = 64

// BenchmarkPush is a POST of one app over loopback, beside the least that a
// transaction of one row costs with the same driver and the same durability, by
// itself and behind a bare handler: one client, four, and sixteen, between which
// nothing is shared but the server.
func BenchmarkPush(b *testing.B) {
	makeRoom(b)
	b.Run("flushed", func(b *testing.B) {
		takeTurns(b, batch, subject{"raw", raw(b, full)}, subject{"stored", stored(b, full)}, subject{"handled", handled(b, full)}, subject{"alone", pushes(b, full, 1)},
			subject{"four", pushes(b, full, 4)}, subject{"at-once", pushes(b, full, 16)})
	})
	// As PocketBase has its database: no flush at a commit.
	b.Run("unflushed", func(b *testing.B) {
		pb := openPocketBase(b)
		takeTurns(b, batch, subject{"raw", raw(b, normal)}, subject{"alone", pushes(b, normal, 1)}, subject{"at-once", pushes(b, normal, 16)},
			subject{"pocketbase-alone", pb.upserts(b, 1)}, subject{"pocketbase-at-once", pb.upserts(b, 16)})
	})
}

// rows opens a database of the least that a push stores, and returns what writes
// a row to it in a transaction of its own.
func rows(b *testing.B, params string) func(ctx context.Context, user, origin string, turn int, doc []byte) error {
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
	return func(ctx context.Context, user, origin string, turn int, doc []byte) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "INSERT INTO r VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET written = excluded.written, doc = excluded.doc",
			user, "apps", origin, turn, doc); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	}
}

// raw writes rows with the driver.
func raw(b *testing.B, params string) func(int) error {
	write, doc := rows(b, params), []byte(document(0))
	return func(turn int) error {
		for i := range batch {
			if err := write(b.Context(), user((turn*batch+i)%users), origin(turn%10), turn, doc); err != nil {
				return err
			}
		}
		return nil
	}
}

// stored writes apps to the store, with no server around it.
func stored(b *testing.B, params string) func(int) error {
	store, _ := openSQLite(b, params)
	return func(turn int) error {
		for i := range batch {
			key := syncproto.Key{User: user((turn*batch + i) % users), Collection: "apps"}
			app := syncproto.App{Origin: origin(turn % 10), Doc: []byte(document(turn % 10))}
			if _, err := store.Write(b.Context(), key, syncproto.Write{Apps: []syncproto.App{app}}); err != nil {
				return err
			}
		}
		return nil
	}
}

// handled is raw behind a handler that does nothing else, with one client.
func handled(b *testing.B, params string) func(int) error {
	write, doc := rows(b, params), document(0)
	turn := 0
	client := dial(b, server(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = write(r.Context(), r.URL.Path, origin(turn%10), turn, body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})))
	var posts [users][]byte
	for u := range posts {
		posts[u] = request("POST", "/"+user(u), "none", doc)
	}
	return func(t int) error {
		turn = t // nobody asks meanwhile
		for i := range batch {
			if _, err := client.send(posts[(t*batch+i)%users]); err != nil {
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
