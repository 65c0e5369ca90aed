package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/faultconn/memnet"
	"github.com/brownout-go/brownout/internal/leak"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

func TestMain(m *testing.M) { leak.Main(m) }

// server is a sync server that may be told to misbehave.
type server struct {
	url    string
	mangle atomic.Pointer[func(next http.Handler, w http.ResponseWriter, r *http.Request)]
}

func serve(t *testing.T, c syncproto.Config) *server {
	t.Helper()
	if c.Store == nil {
		c.Store = new(syncproto.Memory)
	}
	c.Verifier, c.Development = verify.Plain{}, true
	h, err := syncproto.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := new(server)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := s.mangle.Load(); f != nil {
			(*f)(h, w, r)
			return
		}
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

// on makes the server answer as f has it.
func (s *server) on(f func(next http.Handler, w http.ResponseWriter, r *http.Request)) {
	s.mangle.Store(&f)
}

// dir is a directory under test.
type dir struct {
	t    *testing.T
	url  string
	path string
}

func (d dir) write(name, content string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.path, name), []byte(content), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d dir) remove(name string) {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.path, name)); err != nil {
		d.t.Fatal(err)
	}
}

// try syncs with the command's arguments.
func (d dir) try(args ...string) (stdout string, err error) {
	var out bytes.Buffer
	args = append([]string{"-url", d.url, "-login", "ann@example.com"}, append(args, d.path)...)
	err = run(d.t.Context(), args, &out, io.Discard)
	return out.String(), err
}

func (d dir) sync(args ...string) string {
	d.t.Helper()
	out, err := d.try(args...)
	if err != nil {
		d.t.Fatalf("sync %s: %v", filepath.Base(d.path), err)
	}
	return out
}

// files are the files of the directory with their content, without white space.
func (d dir) files() map[string]string {
	d.t.Helper()
	entries, err := os.ReadDir(d.path)
	if err != nil {
		d.t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		if !e.IsDir() {
			b, err := os.ReadFile(filepath.Join(d.path, e.Name()))
			if err != nil {
				d.t.Fatal(err)
			}
			all[e.Name()] = strings.Join(strings.Fields(string(b)), "")
		}
	}
	return all
}

func (d dir) want(files map[string]string) {
	d.t.Helper()
	if got := fmt.Sprint(d.files()); got != fmt.Sprint(files) {
		d.t.Errorf("%s has\n%s, want\n%s", filepath.Base(d.path), got, fmt.Sprint(files))
	}
}

func two(t *testing.T) (s *server, a, b dir) {
	s = serve(t, syncproto.Config{})
	return s, dir{t, s.url, t.TempDir()}, dir{t, s.url, t.TempDir()}
}

func doc(origin string, version any) string {
	return fmt.Sprintf(`{"origin":%q,"version":"%v"}`, origin, version)
}

func TestTwoDirectoriesConverge(t *testing.T) {
	_, a, b := two(t)
	a.write("game.json", "{\n \"origin\": \"https://game.example\", \"version\": \"1\"}\n")
	a.write("notes.txt", "not a document")
	b.write("mail.json", doc("https://mail.example", 1))
	a.sync()
	if out := b.sync(); !strings.Contains(out, "new: game.example.json\n1 pulled, 1 pushed, 0 changed on both sides\n") {
		t.Errorf("b said %q", out)
	}
	a.sync()
	a.want(map[string]string{"game.json": doc("https://game.example", 1), "mail.example.json": doc("https://mail.example", 1), "notes.txt": "notadocument"})
	b.want(map[string]string{"game.example.json": doc("https://game.example", 1), "mail.json": doc("https://mail.example", 1)})

	b.write("game.example.json", doc("https://game.example", 2))
	b.sync()
	if out := a.sync(); !strings.Contains(out, "changed: game.json\n") {
		t.Errorf("a said %q", out)
	}
	a.remove("mail.example.json")
	a.sync()
	b.sync()
	b.want(map[string]string{"game.example.json": doc("https://game.example", 2)})
	if out := a.sync() + b.sync(); out != "" {
		t.Errorf("with nothing to do they said %q", out)
	}
}

func TestConflictKeepsBoth(t *testing.T) {
	_, a, b := two(t)
	a.write("x.json", doc("x", 0))
	a.sync()
	b.sync()
	name := fileName("x")
	a.write("x.json", doc("x", "A"))
	b.write(name, doc("x", "B"))
	a.sync()
	out := b.sync()
	kept := strings.TrimSuffix(name, ".json") + ".conflict-" + sum([]byte(doc("x", "B")))[:8]
	b.want(map[string]string{name: doc("x", "A"), kept: doc("x", "B")})
	if want := "conflict: " + name + " has what was changed elsewhere, " + kept + " what was changed here\n"; !strings.Contains(out, want) {
		t.Errorf("%q, want %q", out, want)
	}
	a.sync()
	a.want(map[string]string{"x.json": doc("x", "A")})

	// Resolved by taking the other one after all.
	b.write(name, doc("x", "B"))
	b.remove(kept)
	b.sync()
	a.sync()
	a.want(map[string]string{"x.json": doc("x", "B")})
}

// Two that make the same change do not conflict.
func TestSameChange(t *testing.T) {
	_, a, b := two(t)
	a.write("x.json", doc("https://x", 1))
	b.write("x.json", "\n"+doc("https://x", 1))
	if out := a.sync() + b.sync(); strings.Contains(out, "conflict") {
		t.Error(out)
	}
}

func TestChangeBeatsRemoval(t *testing.T) {
	_, a, b := two(t)
	for _, o := range []string{"https://x", "https://y"} {
		a.write(strings.TrimPrefix(o, "https://")+".json", doc(o, 0))
	}
	a.sync()
	b.sync()
	a.remove("x.json")
	b.write("x.json", doc("https://x", 1))
	a.write("y.json", doc("https://y", 1))
	b.remove("y.json")
	a.sync()
	b.sync()
	a.sync()
	want := map[string]string{"x.json": doc("https://x", 1), "y.json": doc("https://y", 1)}
	a.want(want)
	b.want(want)
}

// A file that cannot be taken is no removal, and is not written over.
func TestBadFiles(t *testing.T) {
	_, a, b := two(t)
	a.write("x.json", doc("https://x", 0))
	a.sync()
	b.sync()
	i := 0
	for name, bad := range map[string]string{
		"not JSON": `{"origin":"https://x",`, "no \"origin\"": `{"version":"1"}`, "not a document": `[1]`,
		"says that it is deleted": `{"origin":"https://x","deleted":true}`,
	} {
		b.write("x.json", bad)
		i++
		b.write("other.json", doc("https://other", i))
		if _, err := b.try(); err == nil || !strings.Contains(err.Error(), "x.json: ") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		a.sync()
		if got := a.files(); got["x.json"] != doc("https://x", 0) || got["other.json"] != doc("https://other", i) {
			t.Errorf("%s: a has %v, want x.json as it was and the rest synced", name, got)
		}
		if got := b.files()["x.json"]; got != strings.ReplaceAll(bad, " ", "") {
			t.Errorf("%s: written over with %s", name, got)
		}
	}
	// Meanwhile it has changed elsewhere: once it is whole, it is a conflict.
	a.write("x.json", doc("https://x", "A"))
	a.sync()
	b.try()
	b.write("x.json", doc("https://x", "B"))
	if out := b.sync(); !strings.Contains(out, "conflict: x.json") || b.files()["x.json"] != doc("https://x", "A") {
		t.Errorf("%q, and b has %v", out, b.files())
	}
	// And if it is removed before the newer version was written, that comes.
	a.write("x.json", doc("https://x", "A2"))
	a.sync()
	b.write("x.json", "")
	b.try()
	b.remove("x.json")
	b.sync()
	if got := b.files()["x.json"]; got != doc("https://x", "A2") {
		t.Errorf("x.json is %q, want the version that nobody saw", got)
	}
	b.write("twice.json", doc("https://x", 3))
	if _, err := b.try(); err == nil || !strings.Contains(err.Error(), "x.json: it has the same origin as twice.json") {
		t.Errorf("two files of one origin: %v", err)
	}
}

func TestRename(t *testing.T) {
	_, a, b := two(t)
	a.write("x.json", doc("https://x", 0))
	a.sync()
	b.sync()
	if err := os.Rename(filepath.Join(a.path, "x.json"), filepath.Join(a.path, "best.json")); err != nil {
		t.Fatal(err)
	}
	if out := a.sync(); out != "" {
		t.Errorf("%q, want nothing to be done for another name", out)
	}
	b.write("x.json", doc("https://x", 1))
	b.sync()
	a.sync()
	a.want(map[string]string{"best.json": doc("https://x", 1)})
}

// The state is gone, or was never there: nothing is removed for that.
func TestStateLost(t *testing.T) {
	_, a, b := two(t)
	a.write("x.json", doc("https://x", 0))
	a.write("y.json", doc("https://y", 0))
	a.sync()
	b.sync()
	if err := os.RemoveAll(filepath.Join(b.path, ".appdir")); err != nil {
		t.Fatal(err)
	}
	b.remove("y.json")
	b.write("x.json", doc("https://x", "B"))
	b.sync()
	a.sync()
	want := map[string]string{"x.json": doc("https://x", 0), "y.json": doc("https://y", 0)}
	a.want(want)
	want["x.conflict-"+sum([]byte(doc("https://x", "B")))[:8]] = doc("https://x", "B")
	b.want(want)
}

func TestCollectionDeleted(t *testing.T) {
	store := new(syncproto.Memory)
	s := serve(t, syncproto.Config{Store: store})
	a := dir{t, s.url, t.TempDir()}
	a.write("x.json", doc("https://x", 0))
	a.sync()
	if _, err := store.Write(t.Context(), syncproto.Key{User: "ann@example.com", Collection: "apps"},
		syncproto.Write{Delete: &syncproto.Deletion{ClientID: "phone", Reason: "sold"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.try(); err == nil || !strings.Contains(err.Error(), "sold") || !strings.Contains(err.Error(), "-revive") {
		t.Errorf("%v, want who deleted it and what to do", err)
	}
	a.want(map[string]string{"x.json": doc("https://x", 0)})
	a.sync("-revive")
	b := dir{t, s.url, t.TempDir()}
	b.sync()
	b.want(a.files())
}

// A version that cannot be kept is not given up.
func TestConflictCannotBeKept(t *testing.T) {
	_, a, b := two(t)
	a.write("x.json", doc("https://x", 0))
	a.sync()
	b.sync()
	a.write("x.json", doc("https://x", "A"))
	b.write("x.json", doc("https://x", "B"))
	a.sync()
	kept := filepath.Join(b.path, "x.conflict-"+sum([]byte(doc("https://x", "B")))[:8])
	if err := os.Mkdir(kept, 0o755); err != nil { // a file cannot be renamed over it
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.try(); err == nil || !strings.Contains(err.Error(), "keep what was changed here") {
			t.Fatalf("%v", err)
		}
		b.want(map[string]string{"x.json": doc("https://x", "B")})
	}
	if err := os.Remove(kept); err != nil {
		t.Fatal(err)
	}
	b.sync()
	b.want(map[string]string{"x.json": doc("https://x", "A"), filepath.Base(kept): doc("https://x", "B")})
}

// A death takes what is on the disk of a directory at one of the moments that it
// is told of, and nothing that happens later.
type death struct {
	t    *testing.T
	path string // of the directory

	mu   sync.Mutex
	left int    // moments until then
	copy string // what was on the disk, empty as long as it lives
}

// moment says whether the process is dead.
func (d *death) moment() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left--; d.left == -1 {
		d.copy = d.t.TempDir()
		if err := os.CopyFS(d.copy, os.DirFS(d.path)); err != nil {
			d.t.Error(err)
		}
	}
	return d.copy != ""
}

// Write is a moment whenever a file has been changed.
func (d *death) Write(b []byte) (int, error) { d.moment(); return len(b), nil }

// The process dies before and after each of its requests and whenever it has
// changed a file: what is on disk then is what the next one starts from.
func TestKilledAnywhere(t *testing.T) {
	for cut := 0; ; cut++ {
		s := serve(t, syncproto.Config{Limits: syncproto.Limits{Page: 1}})
		a, b := dir{t, s.url, t.TempDir()}, dir{t, s.url, t.TempDir()}
		for _, o := range []string{"edited", "removed", "both", "theirs", "gone"} {
			a.write(o+".json", doc("https://"+o, 0))
		}
		a.sync()
		b.sync()
		a.write("edited.json", doc("https://edited", 1))
		a.remove("removed.json")
		a.write("added.json", doc("https://added", 1))
		a.write("both.json", doc("https://both", "A"))
		b.write("both.json", doc("https://both", "B"))
		b.write("other.json", doc("https://other", 1))
		b.write("theirs.json", doc("https://theirs", 1))
		b.remove("gone.json")
		b.sync()

		d := &death{t: t, path: a.path, left: cut}
		s.on(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if d.moment() {
				panic(http.ErrAbortHandler)
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			if d.moment() {
				panic(http.ErrAbortHandler)
			}
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			w.Write(answer.Body.Bytes())
		})
		// A short patience: the dead one is not to come back.
		err := run(t.Context(), []string{"-patience", "1ms", "-url", s.url, "-login", "ann@example.com", a.path}, d, io.Discard)
		s.mangle.Store(nil)
		d.mu.Lock()
		died := dir{t, s.url, d.copy}
		d.mu.Unlock()
		if died.path == "" {
			if err != nil || cut < 8 {
				t.Fatalf("only %d moments to die in, and then %v", cut, err)
			}
			return
		}
		died.sync()
		b.sync()
		died.sync()
		want := map[string]string{
			"edited.json": doc("https://edited", 1), "added.json": doc("https://added", 1), "theirs.json": doc("https://theirs", 1),
			"both.json": doc("https://both", "B"), "other.json": doc("https://other", 1),
		}
		b.want(want)
		want["both.conflict-"+sum([]byte(doc("https://both", "A")))[:8]] = doc("https://both", "A")
		died.want(want)
		if t.Failed() {
			t.Fatalf("when it died at moment %d", cut)
		}
	}
}

// Three directories are edited, synced, cut off and killed at random. In the end
// they hold the same, and every version that lost was kept where it was made,
// or was seen by whoever replaced it.
func TestDirectoriesConvergeUnderFaults(t *testing.T) {
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 1))
		s := serve(t, syncproto.Config{Limits: syncproto.Limits{Page: 2}})
		var dirs [3]dir
		for i := range dirs {
			dirs[i] = dir{t, s.url, t.TempDir()}
		}
		var n atomic.Int64
		s.on(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			switch n.Add(1) % 7 {
			case 2:
				panic(http.ErrAbortHandler)
			case 5:
				next.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		})
		for step := range 60 {
			d := dirs[rng.IntN(len(dirs))]
			o := fmt.Sprintf("https://app%d", rng.IntN(4))
			name := fileName(o)
			switch rng.IntN(5) {
			case 0:
				os.Remove(filepath.Join(d.path, name))
			case 1, 2:
				d.write(name, doc(o, step))
			default:
				d.try("-patience", "1ms")
			}
		}
		s.mangle.Store(nil)
		for range 2 {
			for _, d := range dirs {
				d.sync()
			}
		}
		docs := func(d dir) string {
			all := d.files()
			for name := range all {
				if filepath.Ext(name) != ".json" {
					delete(all, name)
				}
			}
			return fmt.Sprint(all)
		}
		for _, d := range dirs[1:] {
			if docs(d) != docs(dirs[0]) {
				t.Errorf("seed %d: %s\nand %s", seed, docs(dirs[0]), docs(d))
			}
		}
	}
}

// Watching, a change on either side arrives by itself, also over an outage.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(memnet.Network)
		defer n.Close()
		h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true, Watch: syncproto.Watch{Max: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		var down atomic.Bool
		var requests atomic.Int32
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			if down.Load() {
				w.Header().Set("Retry-After", "60")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})}
		l, err := n.Listen("tcp", "apps.example:80")
		if err != nil {
			t.Fatal(err)
		}
		go srv.Serve(l)
		defer srv.Close()

		ctx, stop := context.WithCancel(t.Context())
		var dirs [2]dir
		ended := make(chan error, len(dirs))
		for i := range dirs {
			dirs[i] = dir{t, "", t.TempDir()}
			base := &http.Transport{DialContext: n.DialContext}
			defer base.CloseIdleConnections()
			s, err := open(ctx, options{
				url: "http://apps.example", login: "ann@example.com", audience: "x", collection: "apps", dir: dirs[i].path,
				every: 30 * time.Second, transport: polite(base, 2*time.Minute),
			}, io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			go func() { ended <- s.watch(ctx) }()
		}
		settle := func(d time.Duration) { time.Sleep(d); synctest.Wait() }
		a, b := dirs[0], dirs[1]
		settle(time.Second)
		a.write("x.json", doc("https://x", 1))
		settle(5 * time.Second)
		b.want(map[string]string{"x.json": doc("https://x", 1)})
		down.Store(true)
		b.write("x.json", doc("https://x", 2))
		settle(10 * time.Second)
		down.Store(false)
		a.want(map[string]string{"x.json": doc("https://x", 1)})
		settle(3 * time.Minute)
		a.want(map[string]string{"x.json": doc("https://x", 2)})
		a.remove("x.json")
		settle(5 * time.Second)
		b.want(map[string]string{})

		// What the server would refuse is not tried more often than anything else.
		a.write("bad.json", `{"origin":"https://bad","n":1,"n":2}`)
		before := requests.Load()
		settle(10 * time.Minute)
		if n := requests.Load() - before; n < 40 || n > 200 {
			t.Errorf("%d requests in ten minutes of nothing new", n)
		}
		b.want(map[string]string{})
		stop()
		for range dirs {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOneAtATime(t *testing.T) {
	_, a, _ := two(t)
	s, err := open(t.Context(), options{url: a.url, login: "x@y", collection: "apps", dir: a.path, transport: http.DefaultTransport}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := a.try(); err == nil || !strings.Contains(err.Error(), "another appdir") {
		t.Errorf("%v", err)
	}
}

func TestFileName(t *testing.T) {
	seen := map[string]string{}
	for _, origin := range []string{
		"https://game.example", "http://game.example", "game.example", "https://game.example:8080", "https://game.example/",
		"https://GAME.example", "https://", ".hidden", "../../etc/passwd", "https://..", "a\\b", "ü", strings.Repeat("x", 1000), strings.Repeat("x", 999), "https://" + strings.Repeat("x", 900),
	} {
		name := fileName(origin)
		if other, twice := seen[name]; twice {
			t.Errorf("%q and %q are both %s", origin, other, name)
		}
		seen[name] = origin
		if len(name) > 120 || name[0] == '.' || strings.ContainsAny(name, `/\: `) || filepath.Ext(name) != ".json" || name != strings.ToLower(name) {
			t.Errorf("%q: %s", origin, name)
		}
	}
	if got := fileName("https://game.example"); got != "game.example.json" {
		t.Error(got)
	}
}

func TestOptions(t *testing.T) {
	for args, want := range map[string]string{
		"":                            "one directory",
		"a b":                         "one directory",
		"a":                           "-login",
		"-login x -url apps a":        "-url",
		"-login x -url ftp://a a":     "-url",
		"-login x -every 1ms a":       "-every",
		"-login x -patience 0s a":     "-patience",
		"-login x -no a":              "-no",
		"-login x /nowhere/to/be/had": "no such file",
	} {
		if err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("appdir %s: %v, want something about %q", args, err, want)
		}
	}
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parseFlags([]string{"-url", "https://a.example/sync/", "-login", "file:" + token, "x"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if assertion, audience, err := o.assertion(t.Context()); assertion != "secret" || audience != "https://a.example" || err != nil {
		t.Error(assertion, audience, err)
	}
}
