package sqlstore

import (
	"path/filepath"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

// open opens a store that the test's end closes.
func open(t testing.TB, dsn string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func file(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "sync.db") }

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) syncproto.Store { return open(t, file(t)) })
}
