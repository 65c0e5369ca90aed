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
			rawPush(b, s, i)
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
			func(i int) { rawPush(b, raw, i) },
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
func rawPush(b *testing.B, s *Store, i int) {
	transaction(b, s.db, func(tx *sql.Tx) error {
		const (
			record = `INSERT INTO sync_rows (id, collection, origin, written, doc) VALUES (?, ?, ?, ?, ?)
				ON CONFLICT (collection, origin) DO UPDATE SET id = excluded.id, written = excluded.written, doc = excluded.doc`
			collection = `INSERT INTO sync_rows (id, collection, account, name, uuid, written, apps, bytes, ids) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)
				ON CONFLICT (id) DO UPDATE SET written = excluded.written, apps = excluded.apps, bytes = excluded.bytes`
		)
		now, place := syncproto.TimeOf(time.Now()), s.place(syncproto.Key{User: user(i), Collection: "apps"})
		id := place + firstCollection
		if _, err := tx.ExecContext(b.Context(), record, place+second(now)+int64(i), id, origin(i), now, pushed); err != nil {
			return err
		}
		_, err := tx.ExecContext(b.Context(), collection, id, id, user(i), "apps", "01234567-89ab-cdef-0123-456789abcdef", now, 1, len(pushed))
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
