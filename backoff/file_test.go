package backoff_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

func TestFileReadsWhatPeopleWrite(t *testing.T) {
	f := backoff.File{Path: filepath.Join(t.TempDir(), "backoff")}
	for text, want := range map[string]backoff.Value{
		"20\n": seconds(20),
		" 20":  seconds(20),
		"{\n  \"interval\": 20,\n \"note\": \"x\"\n}\n": {Interval: 20 * time.Second, Note: "x"},
	} {
		if err := os.WriteFile(f.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Get(t.Context()); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "20s", strings.Repeat(" ", 1<<20) + "20"} {
		if err := os.WriteFile(f.Path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Get(t.Context()); !errors.Is(err, backoff.ErrCorrupt) || !strings.Contains(err.Error(), f.Path) {
			t.Errorf("%.10q: %v, %v", text, got, err)
		}
	}
}

func TestFileIsReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	f := backoff.File{Path: filepath.Join(dir, "backoff")}
	for range 3 {
		if err := f.Set(t.Context(), seconds(20)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(f.Path)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v: other users' servers must be able to read it", info.Mode(), err)
	}
	text, _ := os.ReadFile(f.Path)
	entries, _ := os.ReadDir(dir)
	if string(text) != "20\n" || len(entries) != 1 {
		t.Errorf("wrote %q, left %v", text, entries)
	}

	gone := backoff.File{Path: filepath.Join(dir, "gone", "backoff")}
	if err := gone.Set(t.Context(), seconds(20)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Set in a folder that does not exist: %v", err)
	}
	if _, err := (backoff.File{Path: dir}).Get(t.Context()); err == nil || errors.Is(err, backoff.ErrNotSet) || errors.Is(err, backoff.ErrCorrupt) {
		t.Errorf("Get of a folder: %v", err)
	}
}

func TestFileForgetsAtUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := backoff.File{Path: filepath.Join(t.TempDir(), "backoff")}
		v := backoff.Value{Interval: time.Minute, Until: time.Now().Add(time.Hour)}
		if err := f.Set(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		if got, err := f.Get(t.Context()); err != nil || got.String() != v.String() {
			t.Errorf("got %v, %v", got, err)
		}
		time.Sleep(time.Hour)
		if got, err := f.Get(t.Context()); !errors.Is(err, backoff.ErrNotSet) {
			t.Errorf("at Until: %v, %v", got, err)
		}
	})
}

func TestEnv(t *testing.T) {
	e := backoff.Env{Name: "BROWNOUT_TEST_BACKOFF"}
	for text, want := range map[string]string{
		"":                    "backoff: no value is set",
		"20":                  "20s",
		`{"unavailable":0.5}`: "50% of requests refused",
		"soon":                `backoff: "soon" is not a number of seconds: corrupt value (in $BROWNOUT_TEST_BACKOFF)`,
	} {
		t.Setenv(e.Name, text)
		v, err := e.Get(t.Context())
		got := v.String()
		if err != nil {
			got = fmt.Sprint(err)
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if err := e.Set(t.Context(), seconds(1)); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Set: %v", err)
	}
	if err := e.Del(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Del: %v", err)
	}
}
