package sqlstore

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

func key(user string) syncproto.Key { return syncproto.Key{User: user, Collection: "apps"} }

func mustWrite(t *testing.T, s *Store, key syncproto.Key, origins ...string) {
	t.Helper()
	var w syncproto.Write
	for _, o := range origins {
		w.Apps = append(w.Apps, app(o, `{}`))
	}
	if _, err := s.Write(t.Context(), key, w); err != nil {
		t.Fatal(err)
	}
}

func origins(t *testing.T, s *Store, key syncproto.Key) string {
	t.Helper()
	var all []string
	for _, r := range records(t, s, key, 0) {
		all = append(all, r.Origin)
	}
	return strings.Join(all, " ")
}

func mustExec(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	if _, err := s.db.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// crowded opens a store that has so few places that most are of many collections.
func crowded(t *testing.T, dsn string, bits int) *Store {
	t.Helper()
	connector, _, err := Connector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	d := sqliteDialect()
	d.places = bits
	s, err := newStore(t.Context(), sql.OpenDB(connector), d)
	if err != nil {
		t.Fatal(err)
	}
	s.owned = true
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestCrowded: collections that share a place don't notice.
func TestCrowded(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncproto.Store { return crowded(t, file(t), 1) })
}

// TestCrowdedTwoStores is the same for two processes.
func TestCrowdedTwoStores(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncproto.Store {
		dsn := file(t)
		return &pair{stores: [2]*Store{crowded(t, dsn, 2), crowded(t, dsn, 2)}}
	})
}

// TestMigrateCrowded: nor when they move in together.
func TestMigrateCrowded(t *testing.T) {
	m := filled(t)
	s := crowded(t, oldFile(t, m), 2)
	sameAs(t, s, m)
	for user := range 12 {
		mustWrite(t, s, key(fmt.Sprintf("user%d@example.com", user)), "new")
	}
	if records := records(t, s, key("user7@example.com"), 0); records[len(records)-1].Origin != "new" {
		t.Errorf("%+v, want what is new behind the rest", records)
	}
}

// TestIdsOfOlderTimes: what somebody brings along from before, in whatever
// order, is read where it belongs.
func TestIdsOfOlderTimes(t *testing.T) {
	s, ann := open(t, file(t)), key("ann")
	for _, ch := range [][]syncproto.Record{
		{{Time: 300, App: app("c", `{}`)}, {Time: 100, App: app("a", `{}`)}},
		{{Time: 400, App: app("d", `{}`)}, {Time: 200, App: app("b", `{}`)}, {Time: -700, App: app("z", `{}`)}},
		{{Time: 500, App: app("e", `{}`)}, {Time: 50, App: app("y", `{}`)}},
	} {
		if err := s.Apply(t.Context(), ann, syncproto.Change{State: syncproto.State{UUID: "u", Last: ch[0].Time}, Records: ch}); err != nil {
			t.Fatal(err)
		}
	}
	for since, want := range map[syncproto.Time]int{-1000: 7, 0: 6, 100: 4, 200: 3, 300: 2, 400: 1, 500: 0} {
		if got := records(t, s, ann, since); len(got) != want {
			t.Errorf("since %v: %+v, want %d", since, got, want)
		}
	}
	var first int64
	if err := s.db.QueryRow("SELECT MIN(id) FROM sync_rows").Scan(&first); err != nil || first < s.place(ann) {
		t.Errorf("the first is %d, %v; want it in the place, from %d on", first, err, s.place(ann))
	}
	mustWrite(t, s, ann, "c", "f")
	if got := origins(t, s, ann); got != "y a b d e c f" {
		t.Errorf("%s, want y a b d e c f", got)
	}
}

// TestIdsRunOut: a place that has used up its ids gives them anew, and the others
// keep theirs.
func TestIdsRunOut(t *testing.T) {
	s := crowded(t, file(t), 2)
	s.placeKey = []byte("with which some share a place")
	var all []syncproto.Key
	for i := range 12 {
		all = append(all, key(fmt.Sprint("user", i)))
		mustWrite(t, s, all[i], "a", "b", "c")
		mustWrite(t, s, all[i], "a")
	}
	bob := all[0]
	place := s.place(bob)
	const left = 2
	mustExec(t, s, "UPDATE sync_rows SET id = id + ?3 - (SELECT MAX(id) FROM sync_rows WHERE id <= ?1) WHERE id BETWEEN ?2 AND ?1",
		place+lastRecord, place, place+lastRecord-left)
	last := func() (id int64) {
		if err := s.db.QueryRow(s.queries.last, place+lastRecord).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id - place
	}
	if last() != lastRecord-left {
		t.Fatalf("the last one is %d", last())
	}
	for i, want := range []string{"c a b", "a b c", "b c a", "c a b"} { // the third has no id left
		mustWrite(t, s, bob, strings.Fields(want)[2])
		if got := origins(t, s, bob); got != want {
			t.Errorf("write %d: %s, want %s", i, got, want)
		}
	}
	if last() > lastSecond {
		t.Errorf("the last one is %d; want that they began anew", last())
	}
	mustWrite(t, s, bob, "d", "e", "a")
	if got := origins(t, s, bob); got != "c b d e a" && got != "b c d e a" {
		t.Errorf("%s, want what was there before and d, e, a", got)
	}
	neighbours := 0
	for _, k := range all[1:] {
		if s.place(k) == place {
			neighbours++
		}
		if got := origins(t, s, k); got != "b c a" && got != "c b a" {
			t.Errorf("%v: %s", k, got)
		}
		if got := len(records(t, s, k, records(t, s, k, 0)[0].Time)); got != 1 {
			t.Errorf("%v: %d records since the first write", k, got)
		}
	}
	if neighbours == 0 {
		t.Error("nobody shares the place")
	}
}

// TestPlaceIsGivenAgain: what a purged user had is not the next one's.
func TestPlaceIsGivenAgain(t *testing.T) {
	s := crowded(t, file(t), 1)
	var names []string
	for place := int64(0); len(names) < 3; place++ { // all of one place
		if name := fmt.Sprint("user", place); s.place(key(name)) == 0 {
			names = append(names, name)
		}
	}
	ann, bob, cat := names[0], names[1], names[2]
	mustWrite(t, s, key(ann), "a")
	mustWrite(t, s, key(bob), "b1", "b2")
	if err := s.Purge(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, key(cat), "c")
	if got := origins(t, s, key(ann)) + "," + origins(t, s, key(bob)) + "," + origins(t, s, key(cat)); got != "a,,c" {
		t.Errorf("ann, bob and cat have %s", got)
	}
	var left int
	if err := s.db.QueryRow("SELECT COUNT(*) FROM sync_rows").Scan(&left); err != nil || left != 4 {
		t.Errorf("%d rows, %v; want ann's and cat's", left, err)
	}
}

// TestNoPlaceLeft: a place takes no collection that would be among the records,
// and those that it has go on.
func TestNoPlaceLeft(t *testing.T) {
	s := crowded(t, file(t), 1)
	s.placeKey = []byte("with which both places are taken")
	for i := range 10 { // in both places
		mustWrite(t, s, key(fmt.Sprint("user", i)), "a")
	}
	for place := range int64(2) {
		last := place<<32 + lastCollection
		mustExec(t, s, "UPDATE sync_rows SET collection = ?1 WHERE collection = (SELECT MAX(id) FROM sync_rows WHERE id <= ?1)", last)
		mustExec(t, s, "UPDATE sync_rows SET id = ?1 WHERE id = (SELECT MAX(id) FROM sync_rows WHERE id <= ?1)", last)
	}
	_, err := s.Write(t.Context(), key("one more"), syncproto.Write{Apps: []syncproto.App{app("b", `{}`)}})
	if err == nil || !strings.Contains(err.Error(), "65,536") {
		t.Errorf("one collection too many: %v", err)
	}
	for i := range 10 {
		mustWrite(t, s, key(fmt.Sprint("user", i)), "b", "a")
		if got := origins(t, s, key(fmt.Sprint("user", i))); got != "b a" {
			t.Errorf("user%d has %s", i, got)
		}
	}
}

// TestPlaceKeyGone: a file without the key is not taken for an empty one.
func TestPlaceKeyGone(t *testing.T) {
	dsn := file(t)
	s := open(t, dsn)
	mustWrite(t, s, key("ann"), "a")
	mustExec(t, s, "DELETE FROM sync_place")
	if _, err := Open(t.Context(), dsn); err == nil || !strings.Contains(err.Error(), "restore") {
		t.Errorf("Open: %v", err)
	}
}

// TestPlaceKeyOfAnother: a store whose migration is undone, and by then another one
// has made the tables, has that one's key.
func TestPlaceKeyOfAnother(t *testing.T) {
	dsn := file(t)
	inner, _, err := Connector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	var first *Store
	undone := errors.New("undone")
	db := sql.OpenDB(&failing{Connector: inner, statement: "COMMIT", instead: func(conn driver.ExecerContext) error {
		if _, err := conn.ExecContext(t.Context(), "ROLLBACK", nil); err != nil {
			return err
		}
		first = open(t, dsn)
		return undone
	}})
	defer db.Close()
	d := sqliteDialect()
	d.again = func(err error) bool { return errors.Is(err, undone) }
	s, err := newStore(t.Context(), db, d)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, key("ann"), "a")
	if first == nil || origins(t, first, key("ann")) != "a" {
		t.Error("the other store does not find what this one wrote")
	}
}

// TestReadBackwards: a setting that reverses what SQLite reads does not make
// somebody miss what is earlier.
func TestReadBackwards(t *testing.T) {
	s := open(t, file(t)+"?_pragma=reverse_unordered_selects(ON)")
	mustWrite(t, s, key("ann"), "a")
	mustWrite(t, s, key("ann"), "b")
	_, err := s.Read(t.Context(), key("ann"), 0, 0, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
		t.Errorf("read %s", r.Origin)
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "order") {
		t.Errorf("Read: %v", err)
	}
}
