package syncproto

import (
	"database/sql"
	"fmt"
	"os"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// BenchmarkUsers is the cost of one user's work in databases with ever more
// users, of five apps each. Every turn is another user, far from the last one.
//
// A whole poll costs about the same with ten users as with a million. The store's
// part of it grows a little, as look-ups in trees do, and because ten users fit
// into the page cache of a connection (2 MB, SQLite's own default) and into the
// processor's, and a thousand do not. A page cache that holds a hundred thousand
// takes away about a fifth of what reads grow by.
func BenchmarkUsers(b *testing.B) {
	sizes := []int{10, 1_000, 100_000}
	if os.Getenv("MILLION") != "" {
		sizes = append(sizes, 1_000_000)
	}
	var state, read, push, poll []subject
	for _, n := range sizes {
		name := fmt.Sprint(n)
		store, db := openSQLite(b, normal)
		populate(b, db, n, 5)
		key := func(i int) syncproto.Key {
			return syncproto.Key{User: user(i * 7919 % n), Collection: "apps"}
		}
		state = append(state, subject{name, func(i int) error {
			st, err := store.State(b.Context(), key(i))
			if err == nil && st.Last == 0 {
				err = fmt.Errorf("%v is not there", key(i))
			}
			return err
		}})
		read = append(read, subject{name, func(i int) error {
			count := 0
			_, err := store.Read(b.Context(), key(i), 0, 0, func(syncproto.State) error { return nil }, func(syncproto.Record) error { count++; return nil })
			if err == nil && count != 5 {
				err = fmt.Errorf("%v has %d apps", key(i), count)
			}
			return err
		}})
		if n > 10 { // ten users would wait for the next tick
			push = append(push, subject{name, func(i int) error {
				_, err := store.Write(b.Context(), key(i), syncproto.Write{Apps: []syncproto.App{{Origin: origin(i % 5), Doc: []byte(document(i % 5))}}})
				return err
			}})
		}
		h, srv := serve(b, store)
		client := dial(b, srv)
		const sessions = 64 // users who poll
		gets := make([][]byte, min(n, sessions))
		for i := range gets {
			u := user(i * (n / len(gets)))
			gets[i] = request("GET", target(u)+"?since=99999999999", login(b, h, u), "")
		}
		poll = append(poll, subject{name, func(i int) error { _, err := client.send(gets[i%len(gets)]); return err }})
	}
	b.Run("state", func(b *testing.B) { takeTurns(b, 1, state...) })
	b.Run("read", func(b *testing.B) { takeTurns(b, 1, read...) })
	b.Run("idle-poll", func(b *testing.B) { takeTurns(b, 1, poll...) })
	b.Run("write", func(b *testing.B) { takeTurns(b, 1, push...) })
}

// populate fills the tables as writes would have.
func populate(b *testing.B, db *sql.DB, users, each int) {
	b.Helper()
	for _, q := range []string{
		`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
		INSERT INTO sync_collections SELECT 'user' || i || '@example.com', 'apps', 'uuid' || i, 100, NULL, ?2, 400 * ?2, 0 FROM n`,
		`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 * ?2 - 1)
		INSERT INTO sync_records SELECT 'user' || (i / ?2) || '@example.com', 'apps', 'https://app' || (i % ?2) || '.example.com', 100, CAST(printf('{"fill":"%388d"}', i) AS BLOB) FROM n`,
	} {
		if _, err := db.ExecContext(b.Context(), q, users, each); err != nil {
			b.Fatal(err)
		}
	}
}
