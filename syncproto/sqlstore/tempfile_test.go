//go:build unix

package sqlstore

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// TestNoTemporaryFiles: a container whose only folder to write to is that of the
// database. The process may open no file more here, wherever it is.
func TestNoTemporaryFiles(t *testing.T) {
	s, rng := open(t, file(t)), rand.New(rand.NewPCG(5, 6))
	write := func() error {
		var w syncproto.Write
		for _, i := range rng.Perm(1000)[:100] {
			w.Apps = append(w.Apps, app(fmt.Sprint(i, strings.Repeat("x", 500)), `"`+strings.Repeat("y", rng.IntN(10_000))+`"`))
		}
		_, err := s.Write(t.Context(), apps, w)
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	none := before
	none.Cur = 3
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}()
	for range 10 {
		if err := write(); err != nil {
			t.Fatalf("a write of 100 apps: %v", err)
		}
	}
	if err := s.Purge(t.Context(), apps.User); err != nil {
		t.Errorf("purge: %v", err)
	}
}
