package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Config is what a [Device] is made of. URL and Login have to be given.
type Config struct {
	// URL is where the handler is mounted, without a slash at the end. If it is
	// another one than before, the device logs in there and goes on with what it
	// has; the uuid tells whether it is the same collection.
	URL string
	// Login gives an assertion and the audience that it was made for. It is
	// called when the device has no session, or when the server no longer
	// accepts the one it has. A login of another user than before is an error.
	Login func(ctx context.Context) (assertion, audience string, err error)
	// Collection is the name of the collection. Empty means "apps".
	Collection string
	// Storage keeps the device's state over restarts: that of one collection of
	// one user. Nil keeps it in memory.
	Storage Storage
	// HTTP sends the requests. Nil means http.DefaultClient. If it has a Timeout,
	// that has to be longer than what Wait and Run are told to wait.
	HTTP *http.Client
	// Merge decides about a document that was changed here and on the server.
	// Each is nil if it was removed on that side; returning nil removes it, and
	// returning remote itself gives up the local change. Nil means that the
	// local change wins. What is not a document of that origin is an error of the
	// Sync. It is called during Sync, more than once if the state could not be
	// saved or the server gives the document again, and must not call the device.
	Merge func(origin string, local, remote json.RawMessage) json.RawMessage
	// OnProgress is told after each page and push, and must not block or call
	// the device. Nil tells nobody.
	OnProgress func(Report)
}

func (c Config) withDefaults() (Config, error) {
	if u, err := url.Parse(c.URL); err != nil || u.Scheme == "" || u.Host == "" || strings.HasSuffix(c.URL, "/") {
		return c, fmt.Errorf("client: Config.URL %q: want http(s)://host[:port][/path] without a slash at the end", c.URL)
	}
	if c.Login == nil {
		return c, errors.New("client: Config.Login is nil: the device could not log in")
	}
	if c.Collection == "" {
		c.Collection = "apps"
	}
	if c.Storage == nil {
		c.Storage = new(memory)
	}
	if c.HTTP == nil {
		c.HTTP = http.DefaultClient
	}
	if c.Merge == nil {
		c.Merge = func(_ string, local, _ json.RawMessage) json.RawMessage { return local }
	}
	return c, nil
}

// A Report is what a sync has done so far.
type Report struct {
	Pulled    int  // documents that came, tombstones included
	Pushed    int  // documents that went, tombstones included
	Merged    int  // documents that both sides had changed
	Conflicts int  // pushes refused because somebody else wrote first
	Restarted bool // the collection had begun a new life, and was pulled anew
}
