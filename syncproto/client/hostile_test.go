package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/client"
)

// isPush says whether a request is a push, or deletes the collection.
func isPush(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/collections/")
}

// loseAnswers lets pushes arrive, and their answers not.
func loseAnswers(next http.Handler, w http.ResponseWriter, r *http.Request) {
	if isPush(r) {
		next.ServeHTTP(discard{http.Header{}}, r)
		panic(http.ErrAbortHandler)
	}
	next.ServeHTTP(w, r)
}

// A push whose answer was lost is repeated when the server no longer remembers
// it: that it is refused does not mean that it has not arrived.
func TestRemovedAndForgottenByTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{})
		d, other := open(t, s.config()), open(t, s.config())
		set(t, d, `{"origin":"a"}`)
		s.mangle = loseAnswers
		if _, err := d.Sync(t.Context()); err == nil {
			t.Fatal("the answer was not lost")
		}
		s.mangle = nil
		if err := d.Remove(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(25 * time.Hour)
		set(t, other, `{"origin":"b"}`)
		sync(t, other)
		sync(t, d)
		want(t, d, `{"origin":"b"}`)
		sync(t, other)
		want(t, other, `{"origin":"b"}`)
	})
}

// So is one that made a deleted collection anew: it does not undo what others
// have written in the new one.
func TestRevivedAndForgottenByTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{})
		c := s.config()
		c.Merge = func(_ string, _, remote json.RawMessage) json.RawMessage { return remote }
		d, other := open(t, c), open(t, s.config())
		set(t, d, `{"origin":"a","v":1}`)
		sync(t, d)
		sync(t, other)
		if err := other.Delete(t.Context(), "other", ""); err != nil {
			t.Fatal(err)
		}
		if err := d.Revive(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.mangle = loseAnswers
		if _, err := d.Sync(t.Context()); err == nil {
			t.Fatal("the answer was not lost")
		}
		s.mangle = nil
		time.Sleep(25 * time.Hour)
		sync(t, other)
		set(t, other, `{"origin":"a","v":2}`)
		sync(t, other)
		if rep := sync(t, d); rep.Merged != 1 {
			t.Errorf("%+v, want to be asked about what both have written", rep)
		}
		sync(t, other)
		want(t, d, `{"origin":"a","v":2}`)
		want(t, other, `{"origin":"a","v":2}`)
	})
}

// fullDisk is a storage with room for so many saves.
type fullDisk struct {
	disk
	room int
}

func (d *fullDisk) Save(ctx context.Context, state []byte) error {
	if d.room--; d.room < 0 {
		return syscall.ENOSPC
	}
	return d.disk.Save(ctx, state)
}

// What could not be saved is not pushed, however often it is tried: a device
// that is killed then would find its own change at the server, and take what it
// has on disk for newer.
func TestFullDisk(t *testing.T) {
	s := serve(t, syncproto.Config{})
	storage := &fullDisk{room: 100}
	c := s.config()
	c.Storage = storage
	d := open(t, c)
	set(t, d, `{"origin":"a","v":1}`)
	sync(t, d)
	pushes := 0
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if isPush(r) {
			pushes++
		}
		next.ServeHTTP(w, r)
	}
	set(t, d, `{"origin":"a","v":2}`)
	storage.room = 0
	if err := d.Set(t.Context(), json.RawMessage(`{"origin":"a","v":3}`)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Set: %v", err)
	}
	for _, storage.room = range []int{0, 1, 0} { // with one, the pull is saved, and the push not
		if _, err := d.Sync(t.Context()); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Sync: %v", err)
		}
	}
	if pushes > 0 {
		t.Errorf("%d pushes of what is not stored", pushes)
	}
	storage.room = 100
	sync(t, d)
	again, other := open(t, c), open(t, s.config())
	sync(t, other)
	want(t, again, `{"origin":"a","v":3}`)
	want(t, other, `{"origin":"a","v":3}`)
}

// What stands between a device and its server may answer 200 and JSON to
// everything. None of it is taken for an answer.
func TestSomebodyElseAnswers(t *testing.T) {
	for _, body := range []string{`{}`, `{"status":"ok"}`, `null`, `[]`, `{"received":0.00}`, `{"until":0.00}`, `{"until":9.00,"applications":[]}`} {
		s := serve(t, syncproto.Config{})
		d, other := open(t, s.config()), open(t, s.config())
		set(t, d, `{"origin":"a","v":1}`)
		sync(t, d)
		set(t, d, `{"origin":"a","v":2}`)
		var pulls, pushes bool
		s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && pulls || isPush(r) && pushes {
				io.WriteString(w, body)
				return
			}
			next.ServeHTTP(w, r)
		}
		for range 2 {
			pulls, pushes = !pulls, pulls
			if _, err := d.Sync(t.Context()); err == nil || d.Pending() != 1 {
				t.Errorf("%s for a pull %t, for a push %t: %v, %d pending", body, pulls, pushes, err, d.Pending())
			}
		}
		if err := d.Delete(t.Context(), "d", ""); err == nil || d.Get("a") == nil {
			t.Errorf("%s for a deletion: %v, and the device has %s", body, err, d.All())
		}
		s.mangle = nil
		sync(t, other) // and writes what the device has not seen
		set(t, other, `{"origin":"b"}`)
		sync(t, other)
		sync(t, d)
		sync(t, other)
		want(t, d, `{"origin":"a","v":2}`, `{"origin":"b"}`)
		want(t, other, `{"origin":"a","v":2}`, `{"origin":"b"}`)
	}
}

// A login that nothing can be done with is not stored.
func TestUselessLogin(t *testing.T) {
	for _, body := range []string{`{}`, `{"collection_url":"/","http_authorization":"x"}`, `{"collection_url":"http://sync/x","http_authorization":"a\nb"}`} {
		s := serve(t, syncproto.Config{})
		c := s.config()
		c.Storage = new(disk)
		d := open(t, c)
		s.mangle = func(_ http.Handler, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
		if _, err := d.Sync(t.Context()); err == nil {
			t.Errorf("%s is a login", body)
		}
		s.mangle = nil
		sync(t, d)
		sync(t, open(t, c))
	}
}

// A collection is deleted and begun anew before the device has heard by what name
// the one goes that it has begun.
func TestAnotherLifeBeforeItsName(t *testing.T) {
	for _, late := range []bool{false, true} { // before the pull that asks for it, and if that one fails
		s := serve(t, syncproto.Config{})
		d := open(t, s.config())
		pulls, begun := 0, false
		s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if begun || isPush(r) || !strings.HasPrefix(r.URL.Path, "/collections/") {
				next.ServeHTTP(w, r)
				return
			}
			if pulls++; pulls == 1 {
				next.ServeHTTP(w, r)
				return
			}
			begun = true
			other := open(t, s.config())
			if err := other.Delete(t.Context(), "other", ""); err != nil {
				t.Error(err)
			}
			set(t, other, `{"origin":"b"}`)
			if err := other.Revive(t.Context()); err != nil {
				t.Error(err)
			}
			sync(t, other)
			if late {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		}
		set(t, d, `{"origin":"a"}`)
		rep, err := d.Sync(t.Context())
		if (err != nil) != late {
			t.Fatal(err)
		}
		before := rep
		rep = sync(t, d)
		if want(t, d, `{"origin":"b"}`); !begun || !before.Restarted && !rep.Restarted {
			t.Errorf("%+v and %+v, asked for the name %t", before, rep, begun)
		}
	}
}

// If others have only written to it, the device cannot tell that from another
// life, and looks, but says nothing of one.
func TestOneLifeBeforeItsName(t *testing.T) {
	s := serve(t, syncproto.Config{})
	d, other := open(t, s.config()), open(t, s.config())
	pushed, written := false, false
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if pushed && !written && r.Method == http.MethodGet {
			written = true
			sync(t, other)
			set(t, other, `{"origin":"b"}`)
			if err := other.Remove(t.Context(), "gone"); err != nil {
				t.Error(err)
			}
			sync(t, other)
		}
		next.ServeHTTP(w, r)
		pushed = pushed || isPush(r)
	}
	set(t, d, `{"origin":"a"}`, `{"origin":"gone"}`)
	if rep := sync(t, d); !written || rep.Restarted {
		t.Errorf("%+v, others have written: %t", rep, written)
	}
	want(t, d, `{"origin":"a"}`, `{"origin":"b"}`)
}

// To forget everything in the midst of a pull is not to take in its second half
// alone.
func TestForgetDuringSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Limits: syncproto.Limits{Page: 1}})
		writer, d := open(t, s.config()), open(t, s.config())
		set(t, writer, `{"origin":"a"}`)
		sync(t, writer)
		set(t, writer, `{"origin":"b"}`)
		sync(t, writer)
		forgotten := make(chan error, 1)
		pulls := 0
		s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				if pulls++; pulls == 2 {
					go func() { forgotten <- d.Forget(t.Context()) }()
					time.Sleep(time.Second)
				}
			}
			next.ServeHTTP(w, r)
		}
		sync(t, d)
		if err := <-forgotten; err != nil {
			t.Fatal(err)
		}
		sync(t, d)
		want(t, d, `{"origin":"a"}`, `{"origin":"b"}`)
	})
}

// Names are what they are to the server: "Origin" is not "origin", nor does
// "Deleted" remove.
func TestExactNames(t *testing.T) {
	s := serve(t, syncproto.Config{})
	d, other := open(t, s.config()), open(t, s.config())
	if err := d.Set(t.Context(), json.RawMessage(`{"Origin":"a"}`)); err == nil {
		t.Error("a document of an Origin")
	}
	doc := `{"origin":"a","Origin":"b","Deleted":true}`
	set(t, d, doc)
	sync(t, d)
	sync(t, other)
	if got := string(other.Get("a")); got != doc {
		t.Errorf("the other has %s", other.All())
	}
	if err := other.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	sync(t, other)
	sync(t, d)
	want(t, d)
}

// What Merge returns is pushed and stored, and so has to be a document.
func TestMergeReturns(t *testing.T) {
	for merged, wanted := range map[string]string{
		`{`: "", `{"origin":"b"}`: "", `5`: "",
		` { "origin" : "a" , "v" : 3 } `: `{"origin":"a","v":3}`,
		`{"origin":"a","deleted":true}`:  "nothing",
	} {
		s := serve(t, syncproto.Config{})
		c := s.config()
		c.Storage = new(disk)
		nonsense := true
		c.Merge = func(_ string, local, _ json.RawMessage) json.RawMessage {
			if nonsense {
				return json.RawMessage(merged)
			}
			return local
		}
		d, other := open(t, c), open(t, s.config())
		sync(t, d)
		set(t, other, `{"origin":"a","v":1}`)
		sync(t, other)
		set(t, d, `{"origin":"a","v":2}`)
		_, err := d.Sync(t.Context())
		if wanted == "" {
			if err == nil || !strings.Contains(err.Error(), "Config.Merge") {
				t.Errorf("Merge returns %s: %v", merged, err)
			}
			nonsense, wanted = false, `{"origin":"a","v":2}`
			d = open(t, c)
			sync(t, d)
		} else if err != nil {
			t.Errorf("Merge returns %s: %v", merged, err)
		}
		sync(t, other)
		for _, d := range []*client.Device{d, other} {
			if wanted == "nothing" {
				want(t, d)
			} else {
				want(t, d, wanted)
			}
		}
	}
}

// A server that tells of news and has none is not asked more often than one that
// tells of none.
func TestRunIsNotKeptBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{})
		d := open(t, s.config())
		sync(t, d)
		var requests atomic.Int32
		s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if requests.Add(1) > 100 {
				t.Error("the device is kept busy")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			if r.URL.Query().Has("wait") {
				io.WriteString(w, `{"uuid":"u","applications":[{"origin":"a"}],"until":1.00}`)
				return
			}
			next.ServeHTTP(w, r)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := d.Run(ctx, 5*time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := d.Run(t.Context(), 0); err == nil {
			t.Error("Run without a pause")
		}
	})
}

// endless answers pulls without end, unless they ask for little.
type endless struct {
	canned
	most string
}

func (e *endless) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := e.canned.RoundTrip(r)
	if r.Method == http.MethodGet && (e.most == "" || r.URL.Query().Get("limit") != e.most) {
		res.Body = io.NopCloser(zeros{})
	}
	return res, err
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// An answer without end is not read for ever, and a page that is too large is
// asked for in smaller ones.
func TestLongAnswers(t *testing.T) {
	page := `{"uuid":"u","applications":[{"origin":"a"}],"until":1.00}`
	for _, most := range []string{"", "100"} {
		d := open(t, client.Config{
			URL: "http://sync", HTTP: &http.Client{Transport: &endless{canned{status: 200, body: page}, most}},
			Login: func(context.Context) (string, string, error) { return "ann@example.com", "x", nil },
		})
		if _, err := d.Sync(t.Context()); (err == nil) != (most != "") {
			t.Errorf("%v, where pages have to be of %q", err, most)
		} else if err == nil {
			want(t, d, `{"origin":"a"}`)
		}
	}
}

// A wait that is longer than a Duration holds is still one.
func TestRetryAfterCenturies(t *testing.T) {
	s := serve(t, syncproto.Config{})
	var after atomic.Value
	s.mangle = func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after.Load().(string))
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	d := open(t, s.config())
	for _, v := range []string{"9223372037", "9223372036854775807", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		after.Store(v)
		var status *client.StatusError
		if _, err := d.Sync(t.Context()); !errors.As(err, &status) || status.RetryAfter < 200*365*24*time.Hour {
			t.Errorf("%s: %v", v, fmt.Sprint(err))
		}
	}
}
