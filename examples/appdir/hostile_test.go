package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A directory is unmounted while it is watched, and mounted again: it has no
// files for a while, and none of them was removed.
func TestUnmountedMeanwhile(t *testing.T) {
	_, a, b := two(t)
	for _, name := range []string{"x", "y"} {
		a.write(name+".json", doc("https://"+name, 0))
	}
	s, err := open(t.Context(), options{url: a.url, login: "ann@example.com", audience: "x", collection: "apps", dir: a.path, transport: http.DefaultTransport}, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(t.TempDir(), "away")
	if err := os.Rename(a.path, away); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(a.path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.sync(t.Context()); err == nil || !strings.Contains(err.Error(), ".appdir is gone") {
		t.Errorf("an empty mount point: %v", err)
	}
	// Another appdir begins with what is there.
	a.sync()
	if err := s.sync(t.Context()); err == nil || !strings.Contains(err.Error(), "another one") {
		t.Errorf("a directory that another appdir is at work on: %v", err)
	}
	if err := os.RemoveAll(a.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, a.path); err != nil {
		t.Fatal(err)
	}
	if err := s.sync(t.Context()); err != nil {
		t.Error(err)
	}
	want := map[string]string{"x.json": doc("https://x", 0), "y.json": doc("https://y", 0)}
	a.want(want)
	b.sync()
	if got := b.files(); len(got) != 2 {
		t.Errorf("the other has %v", got)
	}
}

// An editor that saves has the file out of the way for an instant.
func TestSavedMeanwhile(t *testing.T) {
	srv, a, b := two(t)
	a.write("x.json", doc("https://x", 0))
	a.sync()
	b.sync()
	a.remove("x.json")
	a.write("new.json", doc("https://new", 0))
	for _, text := range []string{`{"origin":"https://x",`, doc("https://x", 1)} { // half of it, and all
		srv.on(func(next http.Handler, w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/info/configuration" {
				a.write("x.json", text)
			}
			next.ServeHTTP(w, r)
		})
		a.sync()
		b.sync()
		if got := b.files()["x.json"]; got != doc("https://x", 0) {
			t.Errorf("x.json is %q for the other while it is saved", got)
		}
		a.remove("x.json")
		a.write("new.json", doc("https://new", 1))
	}
	srv.mangle.Store(nil)
	a.write("x.json", doc("https://x", 1))
	a.sync()
	b.sync()
	if got := b.files()["x.json"]; got != doc("https://x", 1) {
		t.Errorf("x.json is %q for the other once it is saved", got)
	}
}

// What somebody has made of a version that lost is theirs.
func TestConflictFileWasEdited(t *testing.T) {
	_, a, b := two(t)
	a.write("x.json", doc("https://x", 0))
	a.sync()
	b.sync()
	kept := "x.conflict-" + sum([]byte(doc("https://x", "B")))[:8]
	for i := range 3 {
		a.write("x.json", doc("https://x", i+1))
		b.write("x.json", doc("https://x", "B"))
		a.sync()
		b.sync()
		if i == 0 {
			b.write(kept, "mine")
		}
	}
	b.want(map[string]string{"x.json": doc("https://x", 3), kept: "mine", kept + "-2": doc("https://x", "B")})
}

// A link is no document, nor is it written through or replaced.
func TestLinks(t *testing.T) {
	_, a, b := two(t)
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.json")
	if err := os.WriteFile(elsewhere, []byte(doc("https://x", "elsewhere")), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"x.json": elsewhere, "y.json": "nowhere", "z.json": b.path} {
		if err := os.Symlink(target, filepath.Join(a.path, name)); err != nil {
			t.Skip(err)
		}
		o := "https://" + strings.TrimSuffix(name, ".json")
		b.write(name, doc(o, 1))
	}
	b.sync()
	for range 2 {
		_, err := a.try()
		for _, name := range []string{"x.json", "y.json", "z.json"} {
			if err == nil || !strings.Contains(err.Error(), name+": not a regular file") {
				t.Errorf("%s is a link: %v", name, err)
			}
			if info, err := os.Lstat(filepath.Join(a.path, name)); err != nil || info.Mode()&os.ModeSymlink == 0 {
				t.Errorf("%s is no link any more: %v", name, err)
			}
		}
	}
	if text, err := os.ReadFile(elsewhere); err != nil || string(text) != doc("https://x", "elsewhere") {
		t.Errorf("written through the link: %s, %v", text, err)
	}
}

// "Origin" is not the name of anything.
func TestExactNames(t *testing.T) {
	_, a, b := two(t)
	a.write("x.json", `{"Origin":"https://x"}`)
	a.write("y.json", `{"origin":"https://y","Deleted":true}`)
	if _, err := a.try(); err == nil || !strings.Contains(err.Error(), `x.json: no "origin"`) || strings.Contains(err.Error(), "y.json") {
		t.Error(err)
	}
	b.sync()
	b.want(map[string]string{"y.json": `{"origin":"https://y","Deleted":true}`})
}
