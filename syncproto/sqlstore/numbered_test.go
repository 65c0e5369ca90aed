package sqlstore

import (
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
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

// TestNumbersOfOlderTimes: what somebody brings along from before, in whatever
// order, is read where it belongs.
func TestNumbersOfOlderTimes(t *testing.T) {
	s, ann := open(t, file(t)), key("ann")
	for _, ch := range [][]syncproto.Record{
		{{Time: 300, App: app("c", `{}`)}, {Time: 100, App: app("a", `{}`)}},
		{{Time: 400, App: app("d", `{}`)}, {Time: 200, App: app("b", `{}`)}},
		{{Time: 500, App: app("e", `{}`)}},
	} {
		if err := s.Apply(t.Context(), ann, syncproto.Change{State: syncproto.State{UUID: "u", Last: ch[0].Time}, Records: ch}); err != nil {
			t.Fatal(err)
		}
	}
	for since, want := range map[syncproto.Time]int{0: 5, 100: 4, 200: 3, 300: 2, 400: 1, 500: 0} {
		if got := records(t, s, ann, since); len(got) != want {
			t.Errorf("since %v: %+v, want %d", since, got, want)
		}
	}
	mustWrite(t, s, ann, "c", "f")
	if got := origins(t, s, ann); got != "a b d e c f" {
		t.Errorf("%s, want a b d e c f", got)
	}
}

// TestNumbersRunOut: a collection that has used up its numbers gives them anew,
// its neighbours keep theirs.
func TestNumbersRunOut(t *testing.T) {
	s := open(t, file(t))
	ann, bob, cat := key("ann"), key("bob"), key("cat")
	for _, k := range []syncproto.Key{ann, bob, cat} {
		mustWrite(t, s, k, "a", "b", "c")
		mustWrite(t, s, k, "a")
	}
	const left = 2
	mustExec(t, s, "UPDATE sync_records SET id = id + ? WHERE number = 2", int64(maxSequence-left-4))
	mustExec(t, s, "UPDATE sync_collections SET sequence = ? WHERE number = 2", int64(maxSequence-left))
	for i, want := range []string{"c a b", "a b c", "b c a", "c a b"} { // the third has no number left
		mustWrite(t, s, bob, strings.Fields(want)[2])
		if got := origins(t, s, bob); got != want {
			t.Errorf("write %d: %s, want %s", i, got, want)
		}
	}
	mustWrite(t, s, bob, "d", "e", "a")
	if got := origins(t, s, bob); got != "c b d e a" && got != "b c d e a" {
		t.Errorf("%s, want what was there before and d, e, a", got)
	}
	var sequence int
	if err := s.db.QueryRow("SELECT sequence FROM sync_collections WHERE number = 2").Scan(&sequence); err != nil || sequence > 10 {
		t.Errorf("sequence %d, %v; want that it began anew", sequence, err)
	}
	for _, k := range []syncproto.Key{ann, cat} {
		if got := origins(t, s, k); got != "b c a" {
			t.Errorf("%v: %s", k, got)
		}
	}
}

// TestNumberIsGivenAgain: what a purged user had is not the next one's.
func TestNumberIsGivenAgain(t *testing.T) {
	s := open(t, file(t))
	mustWrite(t, s, key("ann"), "a")
	mustWrite(t, s, key("bob"), "b1", "b2")
	if err := s.Purge(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, s, key("cat"), "c")
	if got := origins(t, s, key("ann")) + "," + origins(t, s, key("bob")) + "," + origins(t, s, key("cat")); got != "a,,c" {
		t.Errorf("ann, bob and cat have %s", got)
	}
	var left int
	if err := s.db.QueryRow("SELECT COUNT(*) FROM sync_records").Scan(&left); err != nil || left != 2 {
		t.Errorf("%d records, %v; want ann's and cat's", left, err)
	}
}

// TestNoNumberLeft: a file takes no collection that it can't number, and those
// that it has go on.
func TestNoNumberLeft(t *testing.T) {
	s := open(t, file(t))
	mustWrite(t, s, key("ann"), "a")
	mustExec(t, s, "UPDATE sync_records SET id = id + ?, number = ?", int64(maxNumber-1)<<32, maxNumber)
	mustExec(t, s, "UPDATE sync_collections SET number = ?", maxNumber)
	_, err := s.Write(t.Context(), key("bob"), syncproto.Write{Apps: []syncproto.App{app("b", `{}`)}})
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL") {
		t.Errorf("one collection too many: %v", err)
	}
	mustWrite(t, s, key("ann"), "b", "a")
	if got := origins(t, s, key("ann")); got != "b a" {
		t.Errorf("the last number's collection has %s", got)
	}
}
