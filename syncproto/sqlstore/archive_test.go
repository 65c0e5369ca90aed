package sqlstore

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/archive"
)

// archived is a store that users can be moved from and to.
type archived interface {
	syncproto.Directory
	syncproto.Replica
}

// movables are pairs of stores between which a user moves.
var movables = []struct {
	name     string
	from, to func(*testing.T) archived
}{
	{"SQLite to SQLite", newFile, newFile},
	{"Memory to SQLite", newMemory, newFile},
	{"SQLite to Memory", newFile, newMemory},
}

func newFile(t *testing.T) archived   { return open(t, file(t)) }
func newMemory(t *testing.T) archived { return new(syncproto.Memory) }

// fill gives a user something of everything: more documents of one time than are
// imported at once, some of several times, bytes that JSON could write otherwise,
// an empty collection and a deleted one.
func fill(t *testing.T, s syncproto.Store, user string) {
	t.Helper()
	write := func(collection string, w syncproto.Write) {
		t.Helper()
		if _, err := s.Write(t.Context(), syncproto.Key{User: user, Collection: collection}, w); err != nil {
			t.Fatal(err)
		}
	}
	var many []syncproto.App
	for i := range 1201 {
		many = append(many, app(fmt.Sprint("https://app", i), fmt.Sprintf("{ \"html\": \"<&>\\u2028é\",\n\t\"i\":%d}", i)))
	}
	write("apps", syncproto.Write{Apps: many})
	for i := range 3 {
		write("apps", syncproto.Write{Apps: many[i*7 : i*7+2], ID: fmt.Sprint(i)})
	}
	write("empty", syncproto.Write{})
	write("gone", syncproto.Write{Apps: many[:3]})
	write("gone", syncproto.Write{Delete: &syncproto.Deletion{ClientID: "phone", Reason: "sold"}})
}

// holding is all that there is of a user.
func holding(t *testing.T, d syncproto.Directory, user string) (lines []string) {
	t.Helper()
	all, err := d.Collections(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all {
		if u.Last == 0 {
			continue // never written: there is nothing to remember it by
		}
		u.Deleted = nil // a pointer, and shown below
		lines = append(lines, fmt.Sprintf("%+v", u))
		_, err := d.Read(t.Context(), syncproto.Key{User: user, Collection: u.Collection}, 0, 0, func(st syncproto.State) error {
			lines = append(lines, fmt.Sprintf("%s %v %+v", st.UUID, st.Last, st.Deleted))
			return nil
		}, func(r syncproto.Record) error {
			lines = append(lines, fmt.Sprintf("%v %s %s", r.Time, r.Origin, r.Doc))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

func TestArchive(t *testing.T) {
	const ann, bob = "ann@example.com", "bob@example.com"
	for _, m := range movables {
		t.Run(m.name, func(t *testing.T) {
			from, to := m.from(t), m.to(t)
			fill(t, from, ann)
			var b bytes.Buffer
			if err := archive.Export(t.Context(), from, ann, &b); err != nil {
				t.Fatal(err)
			}
			export := b.String()

			// One that breaks off is refused, and can be purged and made again.
			lines := strings.SplitAfter(export, "\n")
			if err := archive.Import(t.Context(), to, bob, strings.NewReader(strings.Join(lines[:len(lines)-3], ""))); err == nil {
				t.Error("an archive without its end is imported")
			}
			if err := to.Purge(t.Context(), bob); err != nil {
				t.Fatal(err)
			}
			if err := archive.Import(t.Context(), to, bob, strings.NewReader(export)); err != nil {
				t.Fatal(err)
			}
			was, is := holding(t, from, ann), holding(t, to, bob)
			if len(was) != 1201+4 || !reflect.DeepEqual(was, is) {
				t.Fatalf("%d lines went out and %d came in, or others", len(was), len(is))
			}
			if err := archive.Import(t.Context(), to, bob, strings.NewReader(export)); err == nil {
				t.Error("imported over what was there")
			}

			// Devices go on: what they have not seen since, and nothing else, and
			// quotas count what was imported.
			key := syncproto.Key{User: bob, Collection: "apps"}
			before, err := to.State(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			full := syncproto.Quota{Apps: 1201}
			if _, err := to.Write(t.Context(), key, syncproto.Write{Apps: []syncproto.App{app("new", `{}`)}, Quota: full}); err == nil {
				t.Error("a quota does not count what was imported")
			}
			res, err := to.Write(t.Context(), key, syncproto.Write{Apps: []syncproto.App{app("https://app0", `{}`)}, Quota: full, IfUnmodifiedSince: &before.Last})
			if err != nil || res.Time <= before.Last || res.UUID != before.UUID {
				t.Errorf("a push after the move: %+v, %v; before it there was %+v", res, err, before)
			}
			news := 0
			_, err = to.Read(t.Context(), key, before.Last, 0, func(syncproto.State) error { return nil }, func(syncproto.Record) error { news++; return nil })
			if err != nil || news != 1 {
				t.Errorf("%d news after one push, %v", news, err)
			}
		})
	}
}

// A collection is exported as it is at one moment, whoever writes meanwhile: each
// write here replaces two documents with the same.
func TestArchiveWhileWritten(t *testing.T) {
	s := newFile(t)
	write := func(i int) error {
		doc := fmt.Sprintf(`{"i":%d}`, i)
		_, err := s.Write(context.Background(), apps, syncproto.Write{Apps: []syncproto.App{app("a", doc), app("b", doc)}})
		return err
	}
	if err := write(0); err != nil {
		t.Fatal(err)
	}
	const writes = 40 // a tick each
	var written atomic.Int32
	var writing sync.WaitGroup
	defer writing.Wait()
	writing.Go(func() {
		for i := range writes {
			if err := write(i); err != nil {
				t.Error(err)
			}
			written.Add(1)
		}
	})
	for i := 0; written.Load() < writes; i++ {
		var b bytes.Buffer
		if err := archive.Export(t.Context(), s, apps.User, &b); err != nil {
			t.Fatal(err)
		}
		to := new(syncproto.Memory)
		if err := archive.Import(t.Context(), to, "copy", &b); err != nil {
			t.Fatal(err)
		}
		var docs []string
		st, err := to.State(t.Context(), syncproto.Key{User: "copy", Collection: "apps"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = to.Read(t.Context(), syncproto.Key{User: "copy", Collection: "apps"}, 0, 0, func(syncproto.State) error { return nil }, func(r syncproto.Record) error {
			docs = append(docs, fmt.Sprintf("%v %s", r.Time, r.Doc))
			return nil
		})
		if err != nil || len(docs) != 2 || docs[0] != docs[1] || !strings.HasPrefix(docs[0], st.Last.String()) {
			t.Fatalf("export %d has %q at %v, %v", i, docs, st.Last, err)
		}
	}
}
