package sqlstore

import (
	"database/sql"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/browserid"
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
	// The whole POST, over loopback, client included.
	b.Run("http 16 at once", func(b *testing.B) {
		h, err := syncproto.New(syncproto.Config{Store: open(b, file(b)), Verifier: browserid.Development{}, Development: true})
		if err != nil {
			b.Fatal(err)
		}
		srv := httptest.NewServer(h)
		b.Cleanup(srv.Close)
		var n atomic.Int64
		devices := make(chan *device, 256)
		for i := range cap(devices) {
			devices <- login(b, srv.URL, fmt.Sprintf("user%d@example.com", i))
		}
		b.ResetTimer()
		b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				d := <-devices
				body := fmt.Sprintf(`[{"origin":%q,"manifest":"%s"}]`, origin(int(n.Add(1))), strings.Repeat("x", 300))
				if _, err := d.do("POST", srv.URL, "", []byte(body)); err != nil {
					b.Error(err)
				}
				devices <- d
			}
		})
	})
}

// BenchmarkUsers is an idle poll, a pull of ten apps and a push of one, in
// databases with more and more collections: the cost must not follow them.
func BenchmarkUsers(b *testing.B) {
	const each = 10 // apps in a collection
	for _, users := range []int{10, 1_000, 100_000} {
		s := open(b, file(b)+"?_pragma=synchronous(OFF)&_pragma=cache_size(-8000)")
		populate(b, s, users, each)
		key := func(i int) syncproto.Key {
			return syncproto.Key{User: fmt.Sprintf("user%d@example.com", i*7919%users), Collection: "apps"}
		}
		b.Run(fmt.Sprintf("state/%d", users), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if st, err := s.State(b.Context(), key(i)); err != nil || st.Last == 0 {
					b.Fatal(st, err)
				}
			}
		})
		b.Run(fmt.Sprintf("read/%d", users), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				n := 0
				_, err := s.Read(b.Context(), key(i), 0, 0, func(syncproto.State) error { return nil }, func(syncproto.Record) error { n++; return nil })
				if err != nil || n < each {
					b.Fatal(n, err)
				}
			}
		})
		if users < 1_000 {
			continue // writes would wait for the next tick
		}
		b.Run(fmt.Sprintf("write/%d", users), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				w := syncproto.Write{Apps: []syncproto.App{app("app1", `{"origin":"app1","pushed":true}`)}}
				if _, err := s.Write(b.Context(), key(i), w); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// populate fills the tables as writes would have.
func populate(b *testing.B, s *Store, users, each int) {
	b.Helper()
	for _, q := range []string{
		`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
		INSERT INTO sync_collections SELECT 'user' || i || '@example.com', 'apps', 'uuid' || i, 100, NULL, ?2, 300 * ?2, 0 FROM n`,
		`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 * ?2 - 1)
		INSERT INTO sync_records SELECT 'user' || (i / ?2) || '@example.com', 'apps', 'app' || (i % ?2), 100, CAST(printf('{"fill":"%288d"}', i) AS BLOB) FROM n`,
	} {
		if _, err := s.db.Exec(q, users, each); err != nil {
			b.Fatal(err)
		}
	}
}
