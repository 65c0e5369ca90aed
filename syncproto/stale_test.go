package syncproto_test

import (
	"context"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// behind is a store behind a cache that is behind: State is of a while ago, Read
// is not.
type behind struct {
	*syncproto.Memory
	state *syncproto.State // nil for the true one
}

func (b *behind) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	if b.state != nil {
		return *b.state, nil
	}
	return b.Memory.State(ctx, key)
}

// A State that is of a while ago makes news late. A client that knows of
// something newer must not be told what was then: that there is no uuid, by which
// it takes everything for lost and pushes it again; another one, for which it
// pulls everything; or a deletion that is long over.
func TestStateOfAWhileAgo(t *testing.T) {
	store := &behind{Memory: new(syncproto.Memory)}
	s := newSite(t, syncproto.Config{Store: store})
	d := s.device("ann@example.com")
	key := syncproto.Key{User: "ann@example.com", Collection: "apps"}
	var ago []syncproto.State
	keep := func() {
		t.Helper()
		st, err := store.Memory.State(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		ago = append(ago, st)
	}
	keep()
	d.push(`[{"origin":"a"}]`)
	keep()
	d.post("?delete", `{"client_id":"x"}`).want(200)
	keep()
	d.pull(d.push(`[{"origin":"b"}]`))
	keep()
	since := d.pull(d.push(`[{"origin":"c"}]`)).Until

	want := d.get("?since=" + since.String()).want(200)
	for _, st := range ago {
		store.state = &st
		got := d.get("?since=" + since.String()).want(200)
		if got.Body.String() != want.Body.String() || got.Header().Get("ETag") != want.Header().Get("ETag") {
			t.Errorf("with a state of %+v: %s %s, want %s", st, got.Body, got.Header().Get("ETag"), want.Body)
		}
		if got := received(d.post("", `[]`)); got != since {
			t.Errorf("with a state of %+v: received %v, want %v", st, got, since)
		}
	}
	// The deletion is over also for those who have not seen what came before it.
	store.state = &ago[2]
	if p := d.pull(0); len(p.Applications) != 2 || p.UUID == nil {
		t.Errorf("%+v, want both apps of the new life", p)
	}
}

// A client that has a time to come is not taken to have seen what is written
// until then.
func TestSinceOfTheFuture(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	phone, laptop := s.device("ann@example.com"), s.device("ann@example.com")
	seen := phone.push(`[{"origin":"a"}]`)
	laptop.pull(seen + 1_000_000)
	phone.push(`[{"origin":"b"}]`)
	if got := laptop.push(`[{"origin":"c"}]`); got != seen {
		t.Errorf("received %v, want %v", got, seen)
	}
}

// deafMarks are marks that cannot be told anything while they are deaf.
type deafMarks struct {
	until map[string]syncproto.Time
	deaf  bool
}

func (m *deafMarks) Begin(_ context.Context, name string, since syncproto.Time) (uint64, error) {
	if m.deaf {
		return 0, errMarks
	}
	m.until[name] = since
	return 1, nil
}

func (m *deafMarks) Advance(_ context.Context, name string, _ uint64, until syncproto.Time) error {
	if m.deaf {
		return errMarks
	}
	m.until[name] = until
	return nil
}

func (m *deafMarks) Mark(_ context.Context, name string) (syncproto.Time, error) {
	return m.until[name], nil
}

// The answer to a pull is lost, and the marks hear neither of that nor of the
// pull that follows. If that one were told of no news, because of a state of a
// while ago, the push after it would lead past what was lost.
func TestStateOfAWhileAgoAfterALostAnswer(t *testing.T) {
	for name, header := range map[string][]string{"a poll": nil, "a poll with an ETag": {"If-None-Match"}} {
		store := &behind{Memory: new(syncproto.Memory)}
		marks := &deafMarks{until: map[string]syncproto.Time{}}
		s := newSite(t, syncproto.Config{Store: store, Marks: marks})
		phone, laptop := s.device("ann@example.com"), s.device("ann@example.com")
		since := phone.push(`[{"origin":"a"}]`)
		laptop.get("?since=0").want(200)
		idle := laptop.get("?since=" + since.String()).want(200)
		if header != nil {
			header = append(header, idle.Header().Get("ETag"))
		}
		st, err := store.State(t.Context(), syncproto.Key{User: "ann@example.com", Collection: "apps"})
		if err != nil {
			t.Fatal(err)
		}
		phone.push(`[{"origin":"missed"}]`)
		laptop.get("?since=" + since.String()).want(200) // lost on its way

		store.state, marks.deaf = &st, true
		a := laptop.get("?since="+since.String(), header...)
		marks.deaf = false
		got := laptop.push(`[{"origin":"mine"}]`)
		if !strings.Contains(a.Body.String(), "missed") && got > since {
			t.Errorf("%s: %d %s, and after that received %v; the laptop has everything up to %v", name, a.Code, a.Body, got, since)
		}
	}
}
