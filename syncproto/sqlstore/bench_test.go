package sqlstore

import (
	"database/sql"
	"fmt"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/browserid"
)

// BenchmarkPush is a POST of one app, against the same rows written with the same
// driver, durability and tables in one transaction, and against the least that a
// transaction with one row costs.
func BenchmarkPush(b *testing.B) {
	b.Run("raw one row", func(b *testing.B) {
		db := rawOneRow(b)
		for i := 0; b.Loop(); i++ {
			db(b, i)
		}
	})
	b.Run("raw", func(b *testing.B) {
		s := open(b, file(b))
		for i := 0; b.Loop(); i++ {
			rawPush(b, s.db, i)
		}
	})
	b.Run("store", func(b *testing.B) {
		s := open(b, file(b))
		for i := 0; b.Loop(); i++ {
			push(b, s, i)
		}
	})
	// Each in its turn, so that all see the same machine.
	b.Run("turns", func(b *testing.B) {
		one, raw, s := rawOneRow(b), open(b, file(b)), open(b, file(b))
		var took [3][]time.Duration
		work := [3]func(i int){
			func(i int) { push(b, s, i) },
			func(i int) { rawPush(b, raw.db, i) },
			func(i int) { one(b, i) },
		}
		for i := 0; b.Loop(); i++ {
			for j := range work {
				n := (i + j) % len(work)
				start := time.Now()
				work[n](i)
				took[n] = append(took[n], time.Since(start))
			}
		}
		for i := range took {
			slices.Sort(took[i])
		}
		half := len(took[0]) / 2
		b.ReportMetric(float64(took[1][half])/float64(took[0][half]), "of-raw")
		b.ReportMetric(float64(took[2][half])/float64(took[0][half]), "of-raw-one-row")
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
	b.Run("http", func(b *testing.B) {
		devices, post := posting(b)
		for i := 0; b.Loop(); i++ {
			post(devices[i%len(devices)], i)
		}
	})
	b.Run("http 16 at once", func(b *testing.B) {
		devices, post := posting(b)
		free := make(chan *device, len(devices))
		for _, d := range devices {
			free <- d
		}
		var i atomic.Int64
		b.ResetTimer()
		b.SetParallelism(max(1, 16/runtime.GOMAXPROCS(0)))
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				d := <-free
				post(d, int(i.Add(1)))
				free <- d
			}
		})
	})
}

// posting starts a server and returns devices of as many users, and what posts an
// app from one.
func posting(b *testing.B) ([]*device, func(*device, int)) {
	h, err := syncproto.New(syncproto.Config{Store: open(b, file(b)), Verifier: browserid.Development{}, Development: true})
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(h)
	b.Cleanup(srv.Close)
	devices := make([]*device, 256)
	for i := range devices {
		devices[i] = login(b, srv.URL, user(i))
	}
	return devices, func(d *device, i int) {
		body := fmt.Sprintf(`[{"origin":%q,"manifest":"%s"}]`, origin(i), strings.Repeat("x", 300))
		if _, err := d.do("POST", srv.URL, "", []byte(body)); err != nil {
			b.Error(err)
		}
	}
}

var pushed = []byte(`{"origin":"https://game.example","manifest":"` + strings.Repeat("x", 300) + `"}`)

func origin(i int) string { return fmt.Sprintf("https://game%d.example", i%1000) }

// user is one of many, so that no write waits for the next tick.
func user(i int) string { return fmt.Sprintf("user%d@example.com", i%1000) }

func push(b *testing.B, s *Store, i int) {
	w := syncproto.Write{Apps: []syncproto.App{{Origin: origin(i), Doc: pushed}}}
	if _, err := s.Write(b.Context(), syncproto.Key{User: user(i), Collection: "apps"}, w); err != nil {
		b.Error(err)
	}
}

// rawPush writes the rows of push, blindly.
func rawPush(b *testing.B, db *sql.DB, i int) {
	transaction(b, db, func(tx *sql.Tx) error {
		const (
			record = `INSERT INTO sync_records (account, collection, origin, written, doc) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (account, collection, origin) DO UPDATE SET written = excluded.written, doc = excluded.doc`
			collection = `INSERT INTO sync_collections (account, collection, uuid, last, apps, bytes, ids) VALUES (?, ?, ?, ?, ?, ?, 0)
				ON CONFLICT (account, collection) DO UPDATE SET last = excluded.last, apps = excluded.apps, bytes = excluded.bytes`
		)
		now := syncproto.TimeOf(time.Now())
		if _, err := tx.ExecContext(b.Context(), record, user(i), "apps", origin(i), now, pushed); err != nil {
			return err
		}
		_, err := tx.ExecContext(b.Context(), collection, user(i), "apps", "01234567-89ab-cdef-0123-456789abcdef", now, 1, len(pushed))
		return err
	})
}

// rawOneRow opens a database with one table and returns what writes a row of it.
func rawOneRow(b *testing.B) func(*testing.B, int) {
	connector, _, err := Connector(file(b))
	if err != nil {
		b.Fatal(err)
	}
	db := sql.OpenDB(connector)
	b.Cleanup(func() { db.Close() })
	for _, q := range []string{
		"CREATE TABLE r (account TEXT, collection TEXT, origin TEXT, written INTEGER, doc BLOB, PRIMARY KEY (account, collection, origin))",
		"CREATE INDEX i ON r (account, collection, written)",
	} {
		if _, err := db.Exec(q); err != nil {
			b.Fatal(err)
		}
	}
	return func(b *testing.B, i int) {
		transaction(b, db, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(b.Context(), "INSERT INTO r VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET written = excluded.written, doc = excluded.doc",
				"ann@example.com", "apps", origin(i), i, pushed)
			return err
		})
	}
}

func transaction(b *testing.B, db *sql.DB, f func(*sql.Tx) error) {
	tx, err := db.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := f(tx); err != nil {
		b.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
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
