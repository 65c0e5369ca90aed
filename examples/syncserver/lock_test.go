package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/brownout-go/brownout/examples/internal/programtest"
)

// A server that may not have the file leaves it as it is: one of a newer version
// would otherwise bring the tables up to date below the one that has it.
func TestFileOfAnotherIsLeftAlone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "appsync.db")
	owner := flock.New(file + "-lock")
	if err := owner.Lock(); err != nil {
		t.Fatal(err)
	}
	defer owner.Unlock()
	p := programtest.Start(t, "-addr", "127.0.0.1:0", "-db", "sqlite:"+file)
	if err := p.Wait(); err == nil || !strings.Contains(p.Log(), "another syncserver uses the file") {
		t.Fatalf("ended with %v and said %q", err, p.Log())
	}
	if info, err := os.Stat(file); err == nil && info.Size() > 0 {
		t.Errorf("it wrote %d bytes to a file that another server has", info.Size())
	}
}

// What a server keeps is nobody else's to read: with the key that signs logins
// anybody could log in as anyone. A file that is there already stays as it is.
func TestFilesAreTheOwners(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "appsync.db")
	modes := func() map[string]os.FileMode {
		found, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		modes := map[string]os.FileMode{}
		for _, f := range found {
			info, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			modes[f.Name()] = info.Mode().Perm()
		}
		return modes
	}
	p := startProgram(t, "-db", "sqlite:"+file)
	p.login("ann@example.com").push("https://a.example")
	for name, mode := range modes() {
		if mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", name, mode)
		}
	}
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	startProgram(t, "-db", "sqlite:"+file)
	if mode := modes()["appsync.db"]; mode != 0o640 {
		t.Errorf("a file that was given mode 640 has %o", mode)
	}
}
