package syncproto_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
	"github.com/brownout-go/brownout/timeout"
)

var watching = syncproto.Watch{Max: time.Minute}

func TestWaitForNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Watch: watching})
		phone, laptop := s.login("ann@example.com"), s.login("ann@example.com")
		begin := time.Now()
		defer background(func() {
			time.Sleep(20 * time.Second)
			phone.text("POST", "", `[{"origin":"a"}]`)
		})()
		status, body := laptop.text("GET", "?wait=50", "")
		if took := time.Since(begin); status != 200 || !strings.Contains(body, `"origin":"a"`) || took != 20*time.Second {
			t.Errorf("after %v: %d %s, want the app after 20 s", took, status, body)
		}
	})
}

func TestWaitForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Watch: watching})
		d, other := s.login("ann@example.com"), s.login("bob@example.com")
		for query, want := range map[string]time.Duration{
			"?wait=30": 30 * time.Second, "?wait=1.5": 1500 * time.Millisecond, "?wait=1e1": 10 * time.Second, "?wait=0.29999": 290 * time.Millisecond,
			"?wait=3600": time.Minute, "?wait=99999999999": time.Minute, "?wait=60.001": time.Minute, "?wait=0": 0, "?wait=-0": 0, "?wait=": 0, "": 0,
		} {
			begin := time.Now()
			defer background(func() {
				time.Sleep(time.Second)
				other.text("POST", "", `[{"origin":"not hers"}]`)
			})()
			status, body := d.text("GET", query, "")
			if took := time.Since(begin); status != 200 || !strings.Contains(body, `"applications":[]`) || took != want {
				t.Errorf("%s: after %v: %d %s, want nothing after %v", query, took, status, body, want)
			}
			time.Sleep(time.Second)
		}
		for _, wait := range []string{
			"x", "-1", "-1e-9", "NaN", "Inf", "%2BInf", "infinity", "0x10", "0x1p4", "1_000", "%201", "1s", "1,5", "1e400", "1e",
			strings.Repeat("1", 100), strings.Repeat("0", 64) + "1",
		} {
			begin := time.Now()
			status, body := d.text("GET", "?wait="+wait, "")
			if took := time.Since(begin); status != 400 || !strings.Contains(body, "wait: want a decimal number of seconds") || took > 0 {
				t.Errorf("wait=%s: after %v: %d %s", wait, took, status, body)
			}
		}
		d.text("POST", "", `[{"origin":"a"}]`)
		begin := time.Now()
		if _, body := d.text("GET", "?wait=30", ""); !strings.Contains(body, `"a"`) || time.Since(begin) > 0 {
			t.Errorf("what was there already took %v: %s", time.Since(begin), body)
		}
	})
}

func TestWaitEndsWithDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Watch: watching})
		d := s.login("ann@example.com")
		defer background(func() {
			time.Sleep(5 * time.Second)
			d.text("POST", "?delete", `{"client_id":"phone"}`)
		})()
		begin := time.Now()
		_, body := d.text("GET", "?wait=30&since=9999999999", "")
		if !strings.Contains(body, "collection_deleted") || time.Since(begin) != 5*time.Second {
			t.Errorf("after %v: %s", time.Since(begin), body)
		}
	})
}

// Writes through another server are found by looking.
func TestRecheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, sessions := new(syncproto.Memory), &syncproto.SignedSessions{Keys: [][]byte{make([]byte, 32)}}
		one := serve(t, syncproto.Config{Store: store, Sessions: sessions, Watch: syncproto.Watch{Max: time.Minute, Recheck: 2 * time.Second}})
		two := serve(t, syncproto.Config{Store: store, Sessions: sessions})
		d, other := one.login("ann@example.com"), two.login("ann@example.com")
		begin := time.Now()
		defer background(func() {
			time.Sleep(5 * time.Second)
			other.text("POST", "", `[{"origin":"a"}]`)
		})()
		_, body := d.text("GET", "?wait=30", "")
		if took := time.Since(begin); !strings.Contains(body, `"a"`) || took != 6*time.Second {
			t.Errorf("after %v: %s, want it at the next look after 5 s", took, body)
		}
	})
}

func TestTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Watch: syncproto.Watch{Max: time.Minute, Clients: 1}})
		d := s.login("ann@example.com")
		done := make(chan struct{})
		go func() {
			defer close(done)
			d.text("GET", "?wait=30", "")
		}()
		synctest.Wait()
		begin := time.Now()
		if status, _ := d.text("GET", "?wait=30", ""); status != 200 || time.Since(begin) > 0 {
			t.Errorf("one too many waited %v: %d", time.Since(begin), status)
		}
		if status, _ := d.text("GET", "", "", "Accept", "text/event-stream"); status != 503 {
			t.Errorf("one stream too many: %d", status)
		}
		<-done
		begin = time.Now()
		if d.text("GET", "?wait=30", ""); time.Since(begin) != 30*time.Second {
			t.Errorf("with a free place again the wait was %v", time.Since(begin))
		}
	})
}

func TestOneUserLeavesPlacesToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Watch: syncproto.Watch{Max: time.Minute, PerUser: 1}})
		ann, bob := s.login("ann@example.com"), s.login("bob@example.com")
		e := ann.stream("")
		if status, _ := ann.text("GET", "", "", "Accept", "text/event-stream"); status != 503 {
			t.Errorf("a second stream of the same user: %d, want 503", status)
		}
		bob.stream("").Close()
		e.Close()
		synctest.Wait()
		ann.stream("").Close()
	})
}

// A client that reads nothing of its stream is cut off, and its place is free.
func TestStreamUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Watch: syncproto.Watch{Max: time.Hour, Clients: 1}})
		d := s.login("ann@example.com")
		e := d.stream("")
		defer e.Close()
		began := time.Now()
		for i := 0; ; i++ {
			d.text("POST", "", `[{"origin":"a"}]`)
			synctest.Wait()
			if i%100 > 0 {
				continue
			}
			time.Sleep(11 * time.Second) // for a write that blocks to give up
			begin := time.Now()
			if d.text("GET", "?wait=1&since=99999999999", ""); time.Since(begin) == time.Second {
				return // it could wait, so the place is free
			}
			if time.Since(began) > 50*time.Minute {
				t.Fatal("the stream still has its place")
			}
		}
	})
}

func TestEventStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Watch: syncproto.Watch{Max: 5 * time.Minute}})
		d := s.login("ann@example.com")
		d.text("POST", "", `[{"origin":"a"}]`)
		begin := time.Now()
		e := d.stream("")
		defer e.Close()
		name, first := e.next()
		if name != "change" || first == "" {
			t.Fatalf("the first event is %q %q, want what is there already", name, first)
		}
		defer background(func() {
			time.Sleep(2 * time.Minute)
			d.text("POST", "", `[{"origin":"b"}]`)
			time.Sleep(time.Minute)
			d.text("POST", "?delete", `{"client_id":"x"}`)
		})()
		if name, id := e.next(); name != "change" || id <= first || time.Since(begin).Round(time.Second) != 2*time.Minute {
			t.Errorf("%q %q after %v, want a change after 2 minutes", name, id, time.Since(begin))
		}
		if name, _ := e.next(); name != "deleted" {
			t.Errorf("%q, want deleted", name)
		}
		if name, _ := e.next(); name != "" || time.Since(begin) != 5*time.Minute {
			t.Errorf("%q after %v, want the end after 5 minutes", name, time.Since(begin))
		}
		// Who comes again says what it has heard of.
		again := d.stream("", "Last-Event-ID", "99999999999.00")
		defer again.Close()
		if name, _ := again.next(); name != "" {
			t.Errorf("%q, which had been told before", name)
		}
	})
}

// A server that stops lets those go who wait, with a proper answer.
func TestWaitEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true, Watch: watching})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		s := serveHandler(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			both, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			h.ServeHTTP(w, r.WithContext(both))
		}))
		d := s.login("ann@example.com")
		begin := time.Now()
		go func() {
			time.Sleep(3 * time.Second)
			stop()
		}()
		status, body := d.text("GET", "?wait=30", "")
		if took := time.Since(begin); status != 200 || !strings.Contains(body, `"applications":[]`) || took != 3*time.Second {
			t.Errorf("after %v: %d %s, want that there is no news after 3 s", took, status, body)
		}
	})
}

func TestBadLastEventID(t *testing.T) {
	d := newSite(t, syncproto.Config{Watch: watching}).device("ann@example.com")
	if c := d.get("", "Accept", "text/event-stream", "Last-Event-ID", "x").want(400).code(); c != syncproto.CodeParameter {
		t.Errorf("code %d", c)
	}
}

func TestNoStreams(t *testing.T) {
	s := newSite(t, syncproto.Config{})
	s.device("ann@example.com").get("", "Accept", "text/event-stream").want(406)
}

// opaque is the writer of a middleware that hides what the server's can do.
type opaque struct{ http.ResponseWriter }

func (opaque) Unwrap() {} // not the one that net/http looks for

// A middleware that holds responses back makes clients poll. A stream that ended
// at once would bring them back at once.
func TestNoStreamsThroughWritersThatCannotFlush(t *testing.T) {
	hide := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(opaque{w}, r) })
	}
	limit, err := timeout.New(timeout.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for name, around := range map[string]func(http.Handler) http.Handler{
		"alone":            hide,
		"inside a Limiter": func(h http.Handler) http.Handler { return limit.Handler(hide(h)) },
	} {
		s := newSite(t, syncproto.Config{Watch: watching})
		s.h = around(s.h)
		a := s.device("ann@example.com").get("", "Accept", "text/event-stream").want(406)
		if a.object()["status"] != "failure" {
			t.Errorf("%s: %s", name, a.Body)
		}
		e := s.events[len(s.events)-1]
		if e.Status != 406 || !errors.Is(e.Err, http.ErrNotSupported) || !strings.Contains(e.Err.Error(), "Unwrap") {
			t.Errorf("%s: event %+v, want one that says what is missing", name, e)
		}
	}
}

// A Limiter that lets responses go on once they have begun lets streams go on.
func TestStreamLongerThanTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true, Watch: watching})
		if err != nil {
			t.Fatal(err)
		}
		limit, err := timeout.New(timeout.Config{Total: 2 * time.Second, Stream: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		s := serveHandler(t, limit.Handler(h))
		d := s.login("ann@example.com")
		e := d.stream("")
		defer e.Close()
		begin := time.Now()
		defer background(func() {
			time.Sleep(30 * time.Second)
			d.text("POST", "", `[{"origin":"a"}]`)
		})()
		if name, _ := e.next(); name != "change" || time.Since(begin) != 30*time.Second {
			t.Errorf("%q after %v, want a change after 30 s", name, time.Since(begin))
		}
		if name, _ := e.next(); name != "" || time.Since(begin) != time.Minute {
			t.Errorf("%q after %v, want the end after a minute", name, time.Since(begin))
		}
	})
}

// A deadline of the context, such as a budget for requests, is kept to.
func TestWaitWithinTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true, Watch: watching})
		if err != nil {
			t.Fatal(err)
		}
		s := serveHandler(t, budget(h, 8*time.Second))
		d := s.login("ann@example.com")
		begin := time.Now()
		status, _ := d.text("GET", "?wait=30", "")
		if took := time.Since(begin); status != 200 || took != 7*time.Second {
			t.Errorf("%d after %v, want 200 an eighth before the deadline of 8 s", status, took)
		}
	})
}

// background runs f beside the test and returns a function that waits for it:
// a request must not be answered after the test that sent it has ended.
func background(f func()) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return func() { <-done }
}
