package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/client"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func TestMain(m *testing.M) { leak.Main(m) }

// site is a server on an in-memory network.
type site struct {
	t         *testing.T
	transport *http.Transport
	logins    atomic.Int32
	mangle    func(next http.Handler, w http.ResponseWriter, r *http.Request) // nil leaves requests alone
}

func serve(t *testing.T, c syncproto.Config) *site {
	t.Helper()
	if c.Store == nil {
		c.Store = new(syncproto.Memory)
	}
	c.Verifier, c.Development = verify.Plain{}, true
	h, err := syncproto.New(c)
	if err != nil {
		t.Fatal(err)
	}
	network := new(memnet.Network)
	l, err := network.Listen("tcp", "sync:80")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, transport: &http.Transport{DialContext: network.DialContext}}
	srv := &http.Server{Handler: http.StripPrefix("/v1", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.mangle != nil {
			s.mangle(h, w, r)
			return
		}
		h.ServeHTTP(w, r)
	}))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	t.Cleanup(func() {
		s.transport.CloseIdleConnections()
		srv.Close()
		network.Close()
		<-done
	})
	return s
}

func (s *site) config() client.Config {
	return client.Config{
		URL: "http://sync/v1",
		Login: func(context.Context) (string, string, error) {
			s.logins.Add(1)
			return "ann@example.com?a=test", "test", nil
		},
		HTTP: &http.Client{Transport: s.transport},
	}
}

func open(t *testing.T, c client.Config) *client.Device {
	t.Helper()
	d, err := client.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func set(t *testing.T, d *client.Device, docs ...string) {
	t.Helper()
	for _, doc := range docs {
		if err := d.Set(t.Context(), json.RawMessage(doc)); err != nil {
			t.Fatal(err)
		}
	}
}

func sync(t *testing.T, d *client.Device) client.Report {
	t.Helper()
	rep, err := d.Sync(t.Context())
	if err != nil {
		t.Fatalf("Sync: %v (%+v)", err, rep)
	}
	return rep
}

func want(t *testing.T, d *client.Device, docs ...string) {
	t.Helper()
	all := map[string]string{}
	for o, doc := range d.All() {
		all[o] = string(doc)
	}
	wanted := map[string]string{}
	for _, doc := range docs {
		var v struct{ Origin string }
		if err := json.Unmarshal([]byte(doc), &v); err != nil {
			t.Fatal(err)
		}
		wanted[v.Origin] = doc
	}
	if !maps.Equal(all, wanted) {
		t.Fatalf("the device holds %v, want %v", all, wanted)
	}
}

func TestTwoDevices(t *testing.T) {
	s := serve(t, syncproto.Config{Limits: syncproto.Limits{Page: 2}})
	phone, laptop := open(t, s.config()), open(t, s.config())
	set(t, phone, `{"origin":"a","html":"<b>"}`, `{"origin":"b"}`, `{"origin":"c"}`)
	if rep := sync(t, phone); rep.Pushed != 3 || phone.Pending() != 0 {
		t.Errorf("%+v, %d pending", rep, phone.Pending())
	}
	set(t, laptop, `{"origin":"d"}`)
	sync(t, laptop)
	want(t, laptop, `{"origin":"a","html":"<b>"}`, `{"origin":"b"}`, `{"origin":"c"}`, `{"origin":"d"}`)
	if err := laptop.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	sync(t, laptop)
	if rep := sync(t, phone); rep.Pulled != 2 || rep.Pushed != 0 {
		t.Errorf("%+v, want d and the tombstone of b", rep)
	}
	want(t, phone, `{"origin":"a","html":"<b>"}`, `{"origin":"c"}`, `{"origin":"d"}`)
	if rep := sync(t, phone); rep != (client.Report{}) {
		t.Errorf("a sync without news: %+v", rep)
	}
	if n := s.logins.Load(); n != 2 {
		t.Errorf("%d logins of 2 devices", n)
	}
}

func TestMerge(t *testing.T) {
	s := serve(t, syncproto.Config{})
	phone := open(t, s.config())
	for name, c := range map[string]struct {
		merge func(string, json.RawMessage, json.RawMessage) json.RawMessage
		want  string
	}{
		"local wins":  {nil, `{"origin":"a","by":"laptop"}`},
		"remote wins": {func(_ string, _, remote json.RawMessage) json.RawMessage { return remote }, `{"origin":"a","by":"phone"}`},
		"both": {func(string, json.RawMessage, json.RawMessage) json.RawMessage {
			return json.RawMessage(`{"origin":"a","by":"both"}`)
		}, `{"origin":"a","by":"both"}`},
	} {
		config := s.config()
		config.Merge = c.merge
		laptop := open(t, config)
		sync(t, laptop)
		set(t, laptop, `{"origin":"a","by":"laptop"}`)
		set(t, phone, `{"origin":"a","by":"phone"}`)
		sync(t, phone)
		if rep := sync(t, laptop); rep.Merged != 1 {
			t.Errorf("%s: %+v, want a merge", name, rep)
		}
		sync(t, phone)
		want(t, laptop, c.want)
		want(t, phone, c.want)
	}
}

// Somebody else writes between the pull and the push, twice.
func TestConflict(t *testing.T) {
	s := serve(t, syncproto.Config{})
	phone, laptop := open(t, s.config()), open(t, s.config())
	sync(t, phone)
	left, busy := 2, false
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" && r.URL.Path != "/verify" && left > 0 && !busy {
			left, busy = left-1, true
			err := phone.Set(t.Context(), json.RawMessage(fmt.Sprintf(`{"origin":"p%d"}`, left)))
			if err == nil {
				_, err = phone.Sync(t.Context())
			}
			if err != nil {
				t.Errorf("the phone: %v", err)
			}
			busy = false
		}
		next.ServeHTTP(w, r)
	}
	set(t, laptop, `{"origin":"mine"}`)
	if rep := sync(t, laptop); rep.Conflicts != 2 || rep.Pushed != 1 || rep.Pulled != 2 {
		t.Errorf("%+v, want two conflicts and then the push", rep)
	}
	sync(t, phone)
	want(t, phone, `{"origin":"mine"}`, `{"origin":"p0"}`, `{"origin":"p1"}`)
	want(t, laptop, `{"origin":"mine"}`, `{"origin":"p0"}`, `{"origin":"p1"}`)
}

func TestOthersNeverStop(t *testing.T) {
	s := serve(t, syncproto.Config{})
	d := open(t, s.config())
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/collections") && r.Method == "POST" {
			w.WriteHeader(http.StatusPreconditionFailed)
			return
		}
		next.ServeHTTP(w, r)
	}
	set(t, d, `{"origin":"a"}`)
	if _, err := d.Sync(t.Context()); !errors.Is(err, client.ErrBusy) || d.Pending() != 1 {
		t.Errorf("%v, %d pending; want ErrBusy, and the change kept", err, d.Pending())
	}
}

// The answer to a push is lost, the process dies, and somebody else writes: the
// push is found to have been made, and neither is made twice nor undoes.
func TestLostAnswer(t *testing.T) {
	s := serve(t, syncproto.Config{})
	file := client.File(filepath.Join(t.TempDir(), "state"))
	c := s.config()
	c.Storage = file
	d := open(t, c)
	set(t, d, `{ "origin":"a", "x":"<&>\u2028" }`)
	// All of them are: net/http repeats a request with an Idempotency-Key itself.
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" && strings.HasPrefix(r.URL.Path, "/collections") {
			next.ServeHTTP(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	}
	if _, err := d.Sync(t.Context()); err == nil {
		t.Fatal("the answer was not lost")
	}
	s.mangle = nil
	other := open(t, s.config())
	sync(t, other)
	set(t, other, `{"origin":"a","newer":true}`)
	sync(t, other)

	again := open(t, c)
	if again.Pending() != 1 {
		t.Fatalf("%d pending after the restart, want the change", again.Pending())
	}
	rep := sync(t, again)
	if rep.Merged != 0 || rep.Conflicts != 0 || again.Pending() != 0 {
		t.Errorf("%+v: the device took its own push for somebody else's", rep)
	}
	want(t, again, `{"origin":"a","newer":true}`)
}

type discard struct{ h http.Header }

func (d discard) Header() http.Header       { return d.h }
func (discard) WriteHeader(int)             {}
func (discard) Write(b []byte) (int, error) { return len(b), nil }

func TestDeletion(t *testing.T) {
	s := serve(t, syncproto.Config{})
	phone, laptop, tablet := open(t, s.config()), open(t, s.config()), open(t, s.config())
	set(t, phone, `{"origin":"a"}`, `{"origin":"b"}`)
	sync(t, phone)
	sync(t, laptop)
	sync(t, tablet)
	if err := phone.Delete(t.Context(), "phone", "sold"); err != nil {
		t.Fatal(err)
	}
	want(t, phone)
	_, err := laptop.Sync(t.Context())
	var gone *client.DeletedError
	if !errors.As(err, &gone) || gone.ClientID != "phone" || gone.Reason != "sold" {
		t.Fatalf("%v, want who deleted it and why", err)
	}
	want(t, laptop, `{"origin":"a"}`, `{"origin":"b"}`)
	if err := laptop.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if err := laptop.Revive(t.Context()); err != nil {
		t.Fatal(err)
	}
	sync(t, laptop)
	sync(t, laptop)
	want(t, laptop, `{"origin":"a"}`)
	set(t, tablet, `{"origin":"c"}`) // and hasn't heard of any of it
	if rep := sync(t, tablet); !rep.Restarted {
		t.Errorf("%+v, want Restarted", rep)
	}
	want(t, tablet, `{"origin":"a"}`, `{"origin":"c"}`)
}

func TestForget(t *testing.T) {
	s := serve(t, syncproto.Config{})
	phone, laptop := open(t, s.config()), open(t, s.config())
	set(t, phone, `{"origin":"a"}`)
	sync(t, phone)
	sync(t, laptop)
	if err := phone.Delete(t.Context(), "phone", ""); err != nil {
		t.Fatal(err)
	}
	if err := laptop.Forget(t.Context()); err != nil {
		t.Fatal(err)
	}
	want(t, laptop)
}

// A server that comes back empty is given everything again.
func TestServerLosesEverything(t *testing.T) {
	store := new(syncproto.Memory)
	s := serve(t, syncproto.Config{Store: store})
	d := open(t, s.config())
	set(t, d, `{"origin":"a"}`, `{"origin":"b"}`)
	sync(t, d)
	if err := store.Purge(t.Context(), "ann@example.com"); err != nil {
		t.Fatal(err)
	}
	if rep := sync(t, d); rep.Pushed != 2 || !rep.Restarted {
		t.Errorf("%+v", rep)
	}
	want(t, d, `{"origin":"a"}`, `{"origin":"b"}`)
}

func TestSessionEnds(t *testing.T) {
	s := serve(t, syncproto.Config{})
	d := open(t, s.config())
	sync(t, d)
	expired := true
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/verify" {
			expired = false
		} else if expired {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	}
	sync(t, d)
	if n := s.logins.Load(); n != 2 {
		t.Errorf("%d logins, want one more", n)
	}
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/verify" {
			next.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}
	_, err := d.Sync(t.Context())
	var status *client.StatusError
	if !errors.As(err, &status) || status.Status != 401 || s.logins.Load() != 3 {
		t.Errorf("%v after %d logins: a session that is refused at once must not be renewed for ever", err, s.logins.Load())
	}
}

func TestStatusError(t *testing.T) {
	s := serve(t, syncproto.Config{})
	d := open(t, s.config())
	s.mangle = func(_ http.Handler, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(503)
		io.WriteString(w, `{"status":"failure","reason":"temporarily unavailable"}`)
	}
	_, err := d.Sync(t.Context())
	var status *client.StatusError
	if !errors.As(err, &status) || status.RetryAfter != 30*time.Second || status.Reason != "temporarily unavailable" || status.Op != "login" {
		t.Errorf("%v", err)
	}
	if got, want := err.Error(), "client: login: status 503 Service Unavailable: temporarily unavailable (come back in 30s)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestPushInParts(t *testing.T) {
	s := serve(t, syncproto.Config{Limits: syncproto.Limits{Body: 200, Apps: 6}})
	d, other := open(t, s.config()), open(t, s.config())
	var docs []string
	for i := range 30 {
		docs = append(docs, fmt.Sprintf(`{"origin":"app%d","x":"0123456789"}`, i))
	}
	set(t, d, docs...)
	if rep := sync(t, d); rep.Pushed != 30 {
		t.Errorf("%+v", rep)
	}
	sync(t, other)
	want(t, other, docs...)

	// What is too much by itself is an error, and stays here.
	set(t, d, `{"origin":"large","x":"`+strings.Repeat("x", 300)+`"}`)
	_, err := d.Sync(t.Context())
	var status *client.StatusError
	if !errors.As(err, &status) || status.Status != 413 || d.Pending() != 1 {
		t.Errorf("%v, %d pending", err, d.Pending())
	}
}

// What the server refuses by itself does not hold up the rest, and is asked about
// once, until it is changed.
func TestOneIsRefused(t *testing.T) {
	s := serve(t, syncproto.Config{Limits: syncproto.Limits{Doc: 200}})
	d, other := open(t, s.config()), open(t, s.config())
	var docs []string
	for i := range 200 {
		docs = append(docs, fmt.Sprintf(`{"origin":"app%d"}`, i))
	}
	bad := []string{`{"origin":"twice","n":1,"n":2}`, `{"origin":"large","x":"` + strings.Repeat("x", 300) + `"}`}
	set(t, d, docs[:100]...)
	set(t, d, bad...)
	set(t, d, docs[100:]...)
	var pushes atomic.Int32
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			pushes.Add(1)
		}
		next.ServeHTTP(w, r)
	}
	for i, most := range []int32{60, 0, 0} {
		before := pushes.Load()
		_, err := d.Sync(t.Context())
		var status *client.StatusError
		if !errors.As(err, &status) || !strings.Contains(err.Error(), `"twice"`) || !strings.Contains(err.Error(), `"large"`) || d.Pending() != 2 {
			t.Errorf("%v, %d pending, want to hear of the two at fault", err, d.Pending())
		}
		if n := pushes.Load() - before; n > most {
			t.Errorf("sync %d: %d pushes", i, n)
		}
	}
	sync(t, other)
	want(t, other, docs...)

	set(t, d, `{"origin":"twice","n":1}`)
	if _, err := d.Sync(t.Context()); err == nil || strings.Contains(err.Error(), "twice") || d.Pending() != 1 {
		t.Errorf("%v, %d pending, want to hear of the large one only", err, d.Pending())
	}
	if err := d.Remove(t.Context(), "large"); err != nil {
		t.Fatal(err)
	}
	sync(t, d)
	sync(t, other)
	want(t, other, append(docs, `{"origin":"twice","n":1}`)...)
}

// A server that refuses everything is not asked about each document.
func TestAllAreRefused(t *testing.T) {
	s := serve(t, syncproto.Config{})
	d := open(t, s.config())
	sync(t, d)
	pushes := 0
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			pushes++
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	}
	var docs []json.RawMessage
	for i := range 1000 {
		docs = append(docs, fmt.Appendf(nil, `{"origin":"app%d"}`, i))
	}
	if err := d.Set(t.Context(), docs...); err != nil {
		t.Fatal(err)
	}
	var status *client.StatusError
	if _, err := d.Sync(t.Context()); !errors.As(err, &status) || pushes > 30 {
		t.Errorf("%v after %d pushes", err, pushes)
	}
}

// What was added and removed before the server took it needs no tombstone, which
// would count against the quota that it did not fit in.
func TestRemovedBeforeItArrived(t *testing.T) {
	s := serve(t, syncproto.Config{Quota: syncproto.Quota{Apps: 2}})
	c := s.config()
	c.Storage = new(disk)
	d := open(t, c)
	set(t, d, `{"origin":"a"}`, `{"origin":"b"}`, `{"origin":"c"}`)
	var status *client.StatusError
	if _, err := d.Sync(t.Context()); !errors.As(err, &status) || status.Status != http.StatusForbidden {
		t.Fatalf("%v, want a 403 for three of two", err)
	}
	d = open(t, c) // what was refused is remembered
	if err := d.Remove(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if n := d.Pending(); n != 2 {
		t.Errorf("%d changes are pending, want 2", n)
	}
	if rep := sync(t, d); rep.Pushed != 2 {
		t.Errorf("%+v", rep)
	}
	// One that has arrived does need one, also if it was added anew since.
	if err := d.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	set(t, d, `{"origin":"a","v":2}`)
	if err := d.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if rep := sync(t, d); rep.Pushed != 1 {
		t.Errorf("%+v, want a tombstone", rep)
	}
}

// Also one whose answer was lost may have arrived.
func TestRemovedBeforeTheAnswer(t *testing.T) {
	s := serve(t, syncproto.Config{})
	d, other := open(t, s.config()), open(t, s.config())
	sync(t, d)
	lose := true
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if lose && r.Method == http.MethodPost {
			next.ServeHTTP(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	}
	set(t, d, `{"origin":"a"}`)
	if _, err := d.Sync(t.Context()); err == nil {
		t.Fatal("no error, though the answer was lost")
	}
	lose = false
	sync(t, other)
	if err := d.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	sync(t, d)
	sync(t, other)
	if doc := other.Get("a"); doc != nil {
		t.Errorf("the other still has %s", doc)
	}
}

func TestChangeDuringPush(t *testing.T) {
	s := serve(t, syncproto.Config{})
	d := open(t, s.config())
	once := true
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" && r.URL.Path != "/verify" && once {
			once = false
			set(t, d, `{"origin":"a","v":2}`)
		}
		next.ServeHTTP(w, r)
	}
	set(t, d, `{"origin":"a","v":1}`)
	sync(t, d)
	other := open(t, s.config())
	sync(t, other)
	want(t, other, `{"origin":"a","v":2}`)
}

func TestRunHearsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, syncproto.Config{Watch: syncproto.Watch{Max: time.Hour}})
		phone, laptop := open(t, s.config()), open(t, s.config())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- laptop.Run(ctx, 5*time.Minute) }()
		time.Sleep(time.Minute)
		set(t, phone, `{"origin":"a"}`)
		begin := time.Now()
		sync(t, phone)
		synctest.Wait()
		if laptop.Get("a") == nil || time.Since(begin) > 0 {
			t.Errorf("the laptop has not heard after %v", time.Since(begin))
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestRunPollsWhereItCannotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests atomic.Int32 // one may be on its way when the hour is over
		s := serve(t, syncproto.Config{})
		s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			next.ServeHTTP(w, r)
		}
		d := open(t, s.config())
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := d.Run(ctx, 5*time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Run: %v", err)
		}
		if n := requests.Load(); n > 30 {
			t.Errorf("%d requests in an hour of polling every five minutes", n)
		}
	})
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	f := client.File(filepath.Join(dir, "state"))
	if b, err := f.Load(t.Context()); b != nil || err != nil {
		t.Errorf("no file: %q, %v", b, err)
	}
	for _, state := range []string{"one", "two"} {
		if err := f.Save(t.Context(), []byte(state)); err != nil {
			t.Fatal(err)
		}
		if b, err := f.Load(t.Context()); string(b) != state || err != nil {
			t.Errorf("%q, %v; want %q", b, err, state)
		}
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 1 {
		t.Errorf("%v, %v: want the file alone", all, err)
	}
	if info, err := os.Stat(string(f)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: others can read the session", info.Mode(), err)
	}
	if err := client.File(filepath.Join(dir, "none", "state")).Save(t.Context(), nil); err == nil {
		t.Error("saved to a directory that isn't there")
	}
}

func TestConfig(t *testing.T) {
	login := func(context.Context) (string, string, error) { return "", "", nil }
	for name, c := range map[string]client.Config{
		"URL":   {Login: login},
		"URL ":  {URL: "http://x/", Login: login},
		"Login": {URL: "http://x"},
	} {
		if _, err := client.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(name)) {
			t.Errorf("bad %s: %v", name, err)
		}
	}
	d := open(t, client.Config{URL: "http://x", Login: login})
	for doc, want := range map[string]string{
		``: "unexpected end", `x`: "invalid character", `5`: "want a JSON object", `[]`: "want a JSON object",
		`{}`: "no origin", `{"origin":""}`: "no origin", `{"origin":5}`: "want a JSON object whose origin is a string",
	} {
		err := d.Set(t.Context(), json.RawMessage(doc))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strconv.Quote(doc)) {
			t.Errorf("%q as a document: %v, want an error with %q", doc, err, want)
		}
	}
}
