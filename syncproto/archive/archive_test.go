package archive_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/archive"
)

func TestMain(m *testing.M) { leak.Main(m) }

// filled makes a store in which a user has something of everything.
func filled(t *testing.T, user string) *syncproto.Memory {
	t.Helper()
	m := new(syncproto.Memory)
	write := func(collection string, w syncproto.Write) {
		t.Helper()
		if _, err := m.Write(t.Context(), syncproto.Key{User: user, Collection: collection}, w); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 1207 {
		o := fmt.Sprint("app", i%1100)
		write("apps", syncproto.Write{Apps: []syncproto.App{{Origin: o, Doc: json.RawMessage(fmt.Sprintf("{ \"origin\":%q,\n\"html\":\"<&>\", \"i\":%d}", o, i))}, {Origin: "all", Doc: json.RawMessage(`{}`)}}})
	}
	write("empty", syncproto.Write{})
	write("gone", syncproto.Write{Delete: &syncproto.Deletion{ClientID: "phone", Reason: "sold"}})
	return m
}

func contents(t *testing.T, m *syncproto.Memory, user string) []string {
	t.Helper()
	all, err := m.Collections(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, u := range all {
		_, err := m.Read(t.Context(), syncproto.Key{User: user, Collection: u.Collection}, 0, 0, func(st syncproto.State) error {
			if st.Last > 0 { // an empty life has nothing to remember it by
				lines = append(lines, fmt.Sprintf("%s %s %v %+v", u.Collection, st.UUID, st.Last, st.Deleted))
			}
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

func TestExportImport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // for the ticks of 1,207 writes
		from, to := filled(t, "ann@example.com"), new(syncproto.Memory)
		var b bytes.Buffer
		if err := archive.Export(t.Context(), from, "ann@example.com", &b); err != nil {
			t.Fatal(err)
		}
		export := b.String()
		if strings.Contains(export, "ann@") {
			t.Error("the export names the user")
		}
		if err := archive.Import(t.Context(), to, "ann@other.example.com", strings.NewReader(export)); err != nil {
			t.Fatal(err)
		}
		was, is := contents(t, from, "ann@example.com"), contents(t, to, "ann@other.example.com")
		if len(was) < 1100 || !reflect.DeepEqual(was, is) {
			t.Errorf("%d lines went out and %d came in, or others", len(was), len(is))
		}
		if err := archive.Import(t.Context(), to, "ann@other.example.com", strings.NewReader(export)); err == nil {
			t.Error("imported over what was there")
		}
		// What is cut anywhere is never taken for a whole one.
		lines := strings.SplitAfter(export, "\n")
		for _, keep := range []int{0, 1, 2, 700, len(lines) - 2} {
			err := archive.Import(t.Context(), new(syncproto.Memory), "x", strings.NewReader(strings.Join(lines[:keep], "")))
			if !errors.Is(err, archive.ErrInvalid) || !errors.Is(err, io.EOF) {
				t.Errorf("the first %d lines: %v", keep, err)
			}
		}
	})
}

// largest remembers how much was applied at once.
type largest struct {
	syncproto.Memory
	bytes int
}

func (l *largest) Apply(ctx context.Context, key syncproto.Key, ch syncproto.Change) error {
	bytes := 0
	for _, r := range ch.Records {
		bytes += len(r.Doc)
	}
	l.bytes = max(l.bytes, bytes)
	return l.Memory.Apply(ctx, key, ch)
}

// However much a user has, an import takes a few megabytes of memory at a time.
func TestImportLargeDocuments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := new(syncproto.Memory), new(largest)
		doc := json.RawMessage(`{"x":"` + strings.Repeat("x", 1<<20) + `"}`)
		for i := range 20 {
			_, err := from.Write(t.Context(), syncproto.Key{User: "ann", Collection: "apps"}, syncproto.Write{Apps: []syncproto.App{{Origin: fmt.Sprint(i), Doc: doc}}})
			if err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		if err := archive.Export(t.Context(), from, "ann", &b); err != nil {
			t.Fatal(err)
		}
		if err := archive.Import(t.Context(), to, "ann", &b); err != nil {
			t.Fatal(err)
		}
		if was, is := contents(t, from, "ann"), contents(t, &to.Memory, "ann"); !reflect.DeepEqual(was, is) {
			t.Errorf("%d lines went out and %d came in, or others", len(was), len(is))
		}
		if to.bytes > 6<<20 {
			t.Errorf("%d bytes at once", to.bytes)
		}
	})
}

func TestImportBadUser(t *testing.T) {
	for _, user := range []string{"", "a\x00", strings.Repeat("x", 257)} {
		if err := archive.Import(t.Context(), new(syncproto.Memory), user, strings.NewReader("")); err == nil || errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%q: %v", user, err)
		}
	}
}

func TestImportBad(t *testing.T) {
	const format, end = `{"format":"syncproto export 1"}`, `{"end":true}`
	coll := `{"collection":"apps","uuid":"u","last":2.00}`
	for name, text := range map[string]string{
		"no format":          coll + end,
		"format twice":       format + format + end,
		"another format":     `{"format":"syncproto export 2"}` + end,
		"no JSON":            format + "x",
		"nothing said":       format + `{}` + end,
		"record alone":       format + `{"time":1.00,"origin":"a","doc":"{}"}` + end,
		"no origin":          format + coll + `{"time":1.00,"doc":"{}"}` + end,
		"doc no JSON":        format + coll + `{"time":1.00,"origin":"a","doc":"{"}` + end,
		"doc no object":      format + coll + `{"time":1.00,"origin":"a","doc":"7"}` + end,
		"time after last":    format + coll + `{"time":2.01,"origin":"a","doc":"{}"}` + end,
		"time of zero":       format + coll + `{"time":0.00,"origin":"a","doc":"{}"}` + end,
		"out of order":       format + coll + `{"time":1.50,"origin":"a","doc":"{}"}{"time":1.00,"origin":"b","doc":"{}"}` + end,
		"record of deleted":  format + `{"collection":"a","last":2.00,"deleted":{"client_id":"x"}}{"time":1.00,"origin":"a","doc":"{}"}` + end,
		"impossible name":    format + `{"collection":"a\u0000","last":2.00}` + end,
		"collection, no end": format + coll,
		"time of nobody":     format + `{"collection":"a","uuid":"u","last":92233720368547758.07}` + end,
		"time before all":    format + `{"collection":"a","uuid":"u","last":-1.00}` + end,
		"no life, no death":  format + `{"collection":"a","last":2.00}` + end,
		"both":               format + `{"collection":"a","uuid":"u","last":2.00,"deleted":{"client_id":"x"}}` + end,
		"uuid in a header":   format + `{"collection":"a","uuid":"u\r\nSet-Cookie: x","last":2.00}` + end,
		"uuid without end":   format + `{"collection":"a","uuid":"` + strings.Repeat("u", 1000) + `","last":2.00}` + end,
	} {
		if err := archive.Import(t.Context(), new(syncproto.Memory), "ann", strings.NewReader(text)); !errors.Is(err, archive.ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", name, err)
		}
	}
}
