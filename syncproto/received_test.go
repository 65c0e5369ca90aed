package syncproto_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// The first client adopts received as its next since and sends no lastget. If
// somebody else wrote between its pull and its push, that must not be hidden.
func TestReceivedNeverSkips(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	phone, laptop := s.device("ann@example.com"), s.device("ann@example.com")
	phone.push(`[{"origin":"a"}]`)
	since := laptop.pull(0).Until
	phone.push(`[{"origin":"missed"}]`)

	got := laptop.push(`[{"origin":"mine"}]`)
	if got != since {
		t.Fatalf("received %v, want %v, up to which the laptop has everything", got, since)
	}
	if !s.events[len(s.events)-1].Repaired {
		t.Errorf("event %+v, want Repaired", s.events[len(s.events)-1])
	}
	next := laptop.pull(got)
	if len(next.Applications) != 2 || string(next.Applications[0]) != `{"origin":"missed"}` {
		t.Fatalf("the next pull gave %s", next.Applications)
	}
	// With nobody in between, nothing is sent twice.
	got = laptop.push(`[{"origin":"mine","v":2}]`)
	if p := laptop.pull(got); len(p.Applications) != 0 || got <= next.Until {
		t.Errorf("received %v after a pull until %v, then %s", got, next.Until, p.Applications)
	}
	// A push after an own push has missed nothing either.
	got = laptop.push(`[{"origin":"mine","v":3}]`)
	if p := laptop.pull(got); len(p.Applications) != 0 {
		t.Errorf("after two pushes in a row: %s", p.Applications)
	}
}

func TestReceivedOfANewSession(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	s.device("ann@example.com").push(`[{"origin":"a"}]`)
	fresh := s.device("ann@example.com")
	if got := fresh.push(`[{"origin":"b"}]`); got != 1 {
		t.Errorf("received %v for a session that has seen nothing, want 0.01", got)
	}
	// One with a condition has seen everything.
	until := s.device("ann@example.com").pull(0).Until
	if got := received(s.device("ann@example.com").post("?lastget="+until.String(), `[{"origin":"c"}]`)); got <= until {
		t.Errorf("received %v of a push that saw everything until %v", got, until)
	}
}

func TestReceivedOfPages(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	phone, laptop := s.device("ann@example.com"), s.device("ann@example.com")
	first := phone.push(`[{"origin":"a"}]`)
	phone.push(`[{"origin":"b"}]`)
	laptop.get("?limit=1").want(200)
	if got := laptop.push(`[{"origin":"c"}]`); got != first {
		t.Errorf("received %v after the first page of two, want its end %v", got, first)
	}
}

// deaf is a connection that breaks when the answer is written.
type deaf struct{ h http.Header }

func (d deaf) Header() http.Header       { return d.h }
func (deaf) WriteHeader(int)             {}
func (deaf) Write(b []byte) (int, error) { return 0, syscall.EPIPE }

// What was on an answer that did not get through has not been seen.
func TestReceivedAfterALostAnswer(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	phone, laptop := s.device("ann@example.com"), s.device("ann@example.com")
	until := phone.push(`[{"origin":"a"}]`)
	if got := laptop.pull(0).Until; got != until {
		t.Fatal(got)
	}
	phone.push(`[{"origin":"lost"}]`)
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("recovered %v, want http.ErrAbortHandler, by which net/http closes the connection", v)
			}
		}()
		r := httptest.NewRequest("GET", annURL+"?since="+until.String(), nil)
		r.Header.Set("Authorization", laptop.auth)
		s.h.ServeHTTP(deaf{http.Header{}}, r)
	}()
	if e := s.events[len(s.events)-1]; e.Status != 499 || !errors.Is(e.Err, syscall.EPIPE) {
		t.Errorf("event %+v", e)
	}
	if got := laptop.push(`[{"origin":"mine"}]`); got != until {
		t.Errorf("received %v, want %v: the answer after that was lost", got, until)
	}
}

type brokenMarks struct{}

var errMarks = errors.New("marks: out of reach")

func (brokenMarks) Begin(context.Context, string, syncproto.Time) (uint64, error) {
	return 0, errMarks
}
func (brokenMarks) Advance(context.Context, string, uint64, syncproto.Time) error { return errMarks }
func (brokenMarks) Mark(context.Context, string) (syncproto.Time, error)          { return 0, errMarks }

func TestMarksDown(t *testing.T) {
	s := newSite(t, syncproto.Config{Marks: brokenMarks{}})
	d := s.device("ann@example.com")
	if got := d.push(`[{"origin":"a"}]`); len(d.pull(got).Applications) > 1 {
		t.Errorf("received %v", got)
	}
	d.pull(0)
	if got := d.push(`[{"origin":"b"}]`); got != 1 {
		t.Errorf("received %v: without marks nothing may be taken as seen", got)
	}
	if e := s.events[len(s.events)-1]; e.Status != 200 || !errors.Is(e.Err, errMarks) {
		t.Errorf("event %+v, want the reason beside a 200", e)
	}
}
