package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/wait"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/timeout"
)

// oldFile makes a SQLite file with the tables of version 1 and in them what m
// has.
func oldFile(t *testing.T, m *syncproto.Memory) (dsn string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "old.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	steps, err := loadMigrations("migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	exec(steps[0])
	exec("CREATE TABLE sync_version (version INTEGER NOT NULL)")
	exec("INSERT INTO sync_version VALUES (1)")
	users, err := m.Users(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range users {
		usages, err := m.Collections(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range usages {
			deleted, err := encodeDeletion(u.Deleted)
			if err != nil {
				t.Fatal(err)
			}
			exec("INSERT INTO sync_collections VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
				user, u.Collection, u.UUID, int64(u.Last), deleted, u.Apps, u.Bytes)
			exec("INSERT INTO sync_writes VALUES (?, ?, ?, 1, ?)", user, u.Collection, []byte("sent"), int64(u.Last))
			all := records(t, m, syncproto.Key{User: user, Collection: u.Collection}, 0)
			slices.SortFunc(all, func(a, b syncproto.Record) int { return strings.Compare(a.Origin, b.Origin) }) // not as they were written
			for _, r := range all {
				exec("INSERT INTO sync_records VALUES (?, ?, ?, ?, ?)", user, u.Collection, r.Origin, int64(r.Time), []byte(r.Doc))
			}
		}
	}
	return "sqlite:" + path
}

func records(t *testing.T, s syncproto.Store, key syncproto.Key, since syncproto.Time) (all []syncproto.Record) {
	t.Helper()
	_, err := s.Read(t.Context(), key, since, 0, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
		r.Doc = append([]byte(nil), r.Doc...)
		all = append(all, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// filled is a store in which some users have written, some over what they had
// and some to what they have deleted, and one at times that no clock shows.
func filled(t *testing.T) *syncproto.Memory {
	t.Helper()
	m, rng := new(syncproto.Memory), rand.New(rand.NewPCG(1, 2))
	for user := range 12 {
		for _, name := range []string{"apps", "a", "\u00e9\u4e16"}[:1+user%3] {
			key := syncproto.Key{User: fmt.Sprintf("user%d@example.com", user), Collection: name}
			for range rng.IntN(12) {
				w := syncproto.Write{}
				for n := range rng.IntN(4) {
					w.Apps = append(w.Apps, app(fmt.Sprintf("app%d-%d", n, rng.IntN(4)), fmt.Sprintf(`{"n":%d}`, rng.IntN(1000))))
				}
				if rng.IntN(8) == 0 {
					w = syncproto.Write{Delete: &syncproto.Deletion{Reason: "tired of it"}}
				}
				if _, err := m.Write(t.Context(), key, w); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	ch := syncproto.Change{State: syncproto.State{UUID: "u", Last: 1 << 41}}
	for i, at := range []syncproto.Time{1 << 41, 1 << 40, lastSecond * 100, lastSecond*100 - 1, 1000, 100, 3} {
		ch.Records = append(ch.Records, syncproto.Record{Time: at, App: app(fmt.Sprint("app", i), `{}`)})
	}
	if err := m.Apply(t.Context(), key("sometime@example.com"), ch); err != nil {
		t.Fatal(err)
	}
	return m
}

// sameAs fails unless both stores say the same of everything since any time.
func sameAs(t *testing.T, got *Store, want *syncproto.Memory) {
	t.Helper()
	users, err := want.Users(t.Context(), "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for _, user := range users {
		all, err := want.Collections(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		if have, err := got.Collections(t.Context(), user); err != nil || !reflect.DeepEqual(have, all) {
			t.Errorf("%s: %+v, %v; want %+v", user, have, err, all)
		}
		for _, u := range all {
			key := syncproto.Key{User: user, Collection: u.Collection}
			sinces := []syncproto.Time{0}
			for _, r := range records(t, want, key, 0) {
				sinces = append(sinces, r.Time-1, r.Time)
			}
			for _, since := range sinces {
				have, want := records(t, got, key, since), records(t, want, key, since)
				if byOrigin(have) != byOrigin(want) {
					t.Errorf("%v since %v: %s; want %s", key, since, byOrigin(have), byOrigin(want))
				}
				pages++
			}
		}
	}
	if pages < 100 {
		t.Errorf("%d reads were compared: this test has stopped looking", pages)
	}
}

// byOrigin renders records in their order, those of one time by origin.
func byOrigin(all []syncproto.Record) string {
	var b strings.Builder
	for len(all) > 0 {
		n, write := 0, map[string]string{}
		for n < len(all) && all[n].Time == all[0].Time {
			write[all[n].Origin] = string(all[n].Doc)
			n++
		}
		fmt.Fprint(&b, all[0].Time, write, " ") // fmt sorts maps
		all = all[n:]
	}
	return b.String()
}

// TestMigrate: a file that an older version made has everything, in its
// order, and goes on.
func TestMigrate(t *testing.T) {
	m := filled(t)
	s := open(t, oldFile(t, m))
	sameAs(t, s, m)

	for _, user := range []int{2, 5} {
		key := syncproto.Key{User: fmt.Sprintf("user%d@example.com", user), Collection: "apps"}
		st, err := s.State(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if res, err := s.Write(t.Context(), key, syncproto.Write{ID: "sent", Apps: []syncproto.App{app("twice", `{}`)}}); err != nil || !res.Replayed {
			t.Errorf("a write from before, sent again: %+v, %v", res, err)
		}
		before := records(t, s, key, 0)
		for _, origin := range []string{"app0-0", "new", "app1-1"} {
			w := syncproto.Write{Apps: []syncproto.App{app(origin, `{"later":true}`)}}
			if _, err := s.Write(t.Context(), key, w); err != nil {
				t.Fatal(err)
			}
		}
		var origins []string
		for _, r := range records(t, s, key, st.Last) {
			origins = append(origins, r.Origin)
		}
		if got := strings.Join(origins, " "); got != "app0-0 new app1-1" {
			t.Errorf("since then: %s", got)
		}
		if after := records(t, s, key, 0); len(after) < len(before) || len(after) > len(before)+3 {
			t.Errorf("%d records, then %d", len(before), len(after))
		}
	}
}

// TestMigrateSortsNothing: what SQLite sorts it keeps in memory, or in a folder
// for temporary files that a container may not have, and here it would be all that
// there is.
func TestMigrateSortsNothing(t *testing.T) {
	db, err := sql.Open("sqlite", strings.TrimPrefix(oldFile(t, filled(t)), "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	steps, err := loadMigrations("migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(steps[1]); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{collectionsToMove, addToMove, moving, moveCollection, moveRecords} {
		rows, err := db.Query("EXPLAIN QUERY PLAN "+statement, make([]any, strings.Count(statement, "?"))...)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var step string
			var number int
			if err := rows.Scan(&number, &number, &number, &step); err != nil {
				t.Fatal(err)
			}
			if statement == moveRecords && strings.HasPrefix(step, "USE TEMP B-TREE") {
				continue // three numbers for each record of one collection
			}
			if strings.Contains(step, "TEMP B-TREE") || strings.HasPrefix(step, "SCAN sync_records") {
				t.Errorf("%s: %s", step, statement)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMigrateBesideOthers: a file in which somebody has more than the store's
// tables: views of them, and one that never worked. They are in nobody's way.
func TestMigrateBesideOthers(t *testing.T) {
	m := filled(t)
	dsn := oldFile(t, m)
	db, err := sql.Open("sqlite", strings.TrimPrefix(dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const others = "CREATE TABLE seen (origin TEXT); CREATE VIEW totals AS SELECT SUM(apps) AS apps FROM sync_collections;" +
		" CREATE VIEW broken AS SELECT * FROM nowhere; CREATE VIEW origins AS SELECT DISTINCT origin FROM sync_records;" +
		" CREATE TRIGGER unsee AFTER DELETE ON seen BEGIN DELETE FROM sync_records WHERE origin = old.origin; END; ANALYZE"
	if _, err := db.Exec(others); err != nil {
		t.Fatal(err)
	}
	sameAs(t, open(t, dsn), m)
}

// TestMigrateFullDisk: a file that can't be brought up to date stays as it was.
func TestMigrateFullDisk(t *testing.T) {
	m := filled(t)
	dsn := oldFile(t, m)
	if _, err := Open(t.Context(), dsn+"?_pragma=max_page_count(1)"); err == nil || !strings.Contains(err.Error(), "full") {
		t.Fatalf("Open without room for the tables: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(gone, dsn); err == nil {
		t.Fatal("Open with a context that has ended: no error")
	}
	sameAs(t, open(t, dsn), m)
}

// TestMigrateGuarded: a backend that bounds how long a query takes, and lets no
// second one begin before its rows are closed.
func TestMigrateGuarded(t *testing.T) {
	m := filled(t)
	for i := range 250 { // several pages that end in the midst of a user and of a place
		key := syncproto.Key{User: "many@example.com", Collection: fmt.Sprint(i)}
		if _, err := m.Write(t.Context(), key, syncproto.Write{Apps: []syncproto.App{app("a", `{}`)}}); err != nil {
			t.Fatal(err)
		}
	}
	guard, err := timeout.NewBackend(timeout.BackendConfig{Name: "sqlite", Call: time.Minute, Slots: 1})
	if err != nil {
		t.Fatal(err)
	}
	connector, _, err := Connector(oldFile(t, m))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(guard.Connector(connector))
	defer db.Close()
	crowded := sqliteDialect()
	crowded.places = 2
	s, err := newStore(t.Context(), db, crowded)
	if err != nil {
		t.Fatal(err)
	}
	sameAs(t, s, m)
}

// TestMigrateAtOnce: servers that start together on an older file.
func TestMigrateAtOnce(t *testing.T) {
	m := filled(t)
	dsn := oldFile(t, m)
	openAtOnce(t, dsn)
	sameAs(t, open(t, dsn), m)
}

// TestMigrateKilled: kill -9 in the midst of it leaves a file that is as it was.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	m := filled(t)
	dsn := oldFile(t, m)
	path := strings.TrimPrefix(dsn, "sqlite:")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// More than a connection keeps in memory, so that much of it is in the log
	// before it is committed.
	const many = 5_000
	for _, q := range []string{
		"CREATE TABLE n (i INTEGER PRIMARY KEY)",
		"WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) INSERT INTO n SELECT i FROM c",
		"INSERT INTO sync_collections SELECT 'many' || i, 'apps', 'uuid' || i, i, NULL, 1, 600, 0 FROM n",
		"INSERT INTO sync_records SELECT 'many' || i, 'apps', 'app', i, zeroblob(600) FROM n",
		"DROP TABLE n",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	within := 0
	for _, written := range []int64{1, 1 << 19, 1 << 20, 2 << 20} {
		server, _ := spawn(t, dsn)
		grown := wait.Until(time.Minute, func() bool {
			log, err := os.Stat(path + "-wal")
			return err == nil && log.Size() >= written
		})
		server.kill()
		var version int
		if err := db.QueryRow("SELECT version FROM sync_version").Scan(&version); err != nil || !grown {
			t.Fatalf("%v, and that the log has grown is %v", err, grown)
		}
		if version > 1 { // the signal came too late
			break
		}
		within++
	}
	if within == 0 {
		t.Error("no server was killed before it was done")
	}
	t.Logf("%d servers were killed before they were done", within)
	s := open(t, dsn)
	sameAs(t, s, m)
	var records, numbers int
	err = s.db.QueryRow("SELECT COUNT(*), COUNT(DISTINCT collection) FROM sync_rows WHERE origin = 'app' AND LENGTH(doc) = 600").Scan(&records, &numbers)
	if err != nil || records != many || numbers != many {
		t.Errorf("%d records in %d collections, %v; want %d in as many", records, numbers, err, many)
	}
}

// TestOlderProgram: a server of the older version goes on while a newer one brings
// the file up to date. Whatever it is asked then, it fails.
func TestOlderProgram(t *testing.T) {
	m := filled(t)
	dsn := oldFile(t, m)
	connector, _, err := Connector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	dialect := sqliteDialect()
	dialect.places = 0
	old := &Store{db: sql.OpenDB(connector), owned: true, dialect: dialect, queries: newQueries(dialect)}
	old.group = newGroup(old)
	defer old.Close()
	sameAs(t, old, m)
	s := open(t, dsn)

	ctx := t.Context()
	users, err := m.Users(ctx, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range append(users, "new@example.com") {
		key := syncproto.Key{User: user, Collection: "apps"}
		if st, err := old.State(ctx, key); err == nil {
			t.Errorf("%v: state %+v", key, st)
		}
		_, err := old.Read(ctx, key, 0, 0, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
			t.Errorf("%v: read %+v", key, r)
			return nil
		})
		if err == nil {
			t.Errorf("%v: nothing to read", key)
		}
		for _, w := range []syncproto.Write{
			{Apps: []syncproto.App{app("app0-0", `{}`)}},
			{Apps: []syncproto.App{app("app0-0", `{}`), app("b", `{}`)}},
			{Delete: &syncproto.Deletion{Reason: "it was here"}},
			{ID: "empty"},
		} {
			if res, err := old.Write(ctx, key, w); err == nil {
				t.Errorf("%v: %+v was written: %+v", key, w, res)
			}
		}
		if err := old.Purge(ctx, user); err == nil {
			t.Errorf("%s was purged", user)
		}
	}
	sameAs(t, s, m)
}
