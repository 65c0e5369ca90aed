// Package toxiproxyclient runs the clients that people have for Toxiproxy,
// unchanged, against package control: the Go client, the command line tool and
// the one for node. It also sends both servers the same requests and compares
// what they say. And it makes the calls of vaurienclient.
package toxiproxyclient

import (
	"net/http/httptest"
	"os"
	"testing"

	"github.com/brownout-go/brownout/faultconn/control"
)

// serve starts a server of ours and returns the address of its API.
func serve(t *testing.T) string {
	t.Helper()
	s := &control.Server{}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		h.Close()
	})
	return h.URL
}

// missing skips the test, or fails it in CI, where nothing may be missing.
func missing(t *testing.T, install string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(install)
	}
	t.Skip(install)
}
