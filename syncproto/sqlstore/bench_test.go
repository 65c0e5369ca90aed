package sqlstore

import (
	"database/sql"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// BenchmarkPush is a POST of one app, against the least that a transaction with
// one row costs with the same driver and the same durability.
func BenchmarkPush(b *testing.B) {
	doc := []byte(`{"origin":"https://game.example","manifest":"` + strings.Repeat("x", 300) + `"}`)
	origin := func(i int) string { return fmt.Sprintf("https://game%d.example", i%1000) }

	b.Run("raw", func(b *testing.B) {
		connector, _, err := Connector(file(b))
		if err != nil {
			b.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		for _, q := range []string{
			"CREATE TABLE r (account TEXT, collection TEXT, origin TEXT, written INTEGER, doc BLOB, PRIMARY KEY (account, collection, origin))",
			"CREATE INDEX i ON r (account, collection, written)",
		} {
			if _, err := db.Exec(q); err != nil {
				b.Fatal(err)
			}
		}
		for i := 0; b.Loop(); i++ {
			tx, err := db.BeginTx(b.Context(), nil)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := tx.ExecContext(b.Context(), "INSERT INTO r VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET written = excluded.written, doc = excluded.doc",
				"ann@example.com", "apps", origin(i), i, doc); err != nil {
				b.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}
	})
	push := func(b *testing.B, s *Store, i int) {
		// Many users, so that no write waits for the next tick.
		key := syncproto.Key{User: fmt.Sprintf("user%d@example.com", i%1000), Collection: "apps"}
		w := syncproto.Write{Apps: []syncproto.App{{Origin: origin(i), Doc: doc}}}
		if _, err := s.Write(b.Context(), key, w); err != nil {
			b.Error(err)
		}
	}
	b.Run("store", func(b *testing.B) {
		s := open(b, file(b))
		for i := 0; b.Loop(); i++ {
			push(b, s, i)
		}
	})
	// What a server has: clients that push at the same time.
	b.Run("store 16 at once", func(b *testing.B) {
		s := open(b, file(b))
		var i atomic.Int64
		b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				push(b, s, int(i.Add(1)))
			}
		})
	})
}
