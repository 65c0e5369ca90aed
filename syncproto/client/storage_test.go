package client_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/client"
)

// What is stored belongs to one collection of one user. A configuration that
// names another one must not be passed over, nor mix the two.
func TestStorageOfAnother(t *testing.T) {
	s := serve(t, syncproto.Config{})
	c := s.config()
	c.Storage = client.File(filepath.Join(t.TempDir(), "state"))
	d := open(t, c)
	set(t, d, `{"origin":"a"}`)
	sync := func(c client.Config) (*client.Device, client.Report, error) {
		t.Helper()
		d := open(t, c)
		r, err := d.Sync(t.Context())
		return d, r, err
	}
	for range 2 {
		if _, _, err := sync(c); err != nil || s.logins.Load() != 1 {
			t.Fatalf("%v, %d logins; want 1", err, s.logins.Load())
		}
	}

	other := c
	other.Collection = "other"
	if _, err := client.Open(t.Context(), other); err == nil || !strings.Contains(err.Error(), `"apps", not of "other"`) {
		t.Errorf("another collection: %v, want an error that names both", err)
	}

	moved := c
	moved.URL = "http://sync:80/v1" // the same, as if the server had moved
	d, r, err := sync(moved)
	if err != nil || s.logins.Load() != 2 || r != (client.Report{}) || d.Get("a") == nil {
		t.Errorf("another URL: %+v, %v, %d logins; want a login there, and to go on", r, err, s.logins.Load())
	}

	bob := c // whose login is asked for because the session is that of the other URL
	bob.Login = func(context.Context) (string, string, error) { return "bob@example.com?a=test", "test", nil }
	d, r, err = sync(bob)
	if err == nil || !strings.Contains(err.Error(), `"bob@example.com"`) || !strings.Contains(err.Error(), `"ann@example.com"`) {
		t.Errorf("another user: %v, want an error that names both", err)
	}
	if r != (client.Report{}) || d.Get("a") == nil {
		t.Errorf("another user: %+v, %s; want all as before", r, d.All())
	}
	bob.Storage = nil
	if d, _, err := sync(bob); err != nil || len(d.All()) > 0 {
		t.Errorf("the other user has %s, %v; want nothing", d.All(), err)
	}
}
