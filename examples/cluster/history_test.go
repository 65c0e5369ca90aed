package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/syncproto/client"
)

// tolerable are the failures that clients get in a time of trouble: what can be
// tried again. In particular nobody is sent away with a 401.
func tolerable(err error) bool {
	var status *client.StatusError
	return err == nil || errors.Is(err, client.ErrBusy) || errors.As(err, &status) && status.Status == http.StatusServiceUnavailable
}

// Devices of one user, of today and of the first kind, write and sync through
// whichever server comes next, while memcached and the database come and go.
// Every write that was acknowledged, or kept by its device, is in the end on
// every device.
func TestHistoryUnderTrouble(t *testing.T) {
	g := open(t, time.Second)
	const user = "ann@example.com"
	var devices []*client.Device
	for range 3 {
		d, err := client.Open(t.Context(), client.Config{
			URL: site, HTTP: &http.Client{Transport: g},
			Login: func(context.Context) (string, string, error) { return user + "?a=x", "x", nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		devices = append(devices, d)
	}
	old := &firstClient{session: login(t, g, user), docs: map[string]int{}}
	want := map[string]int{} // the last version of each document, which has one writer

	for round, trouble := range []struct {
		name       string
		begin, end func()
	}{
		{"calm", func() {}, func() {}},
		{"memcached is gone", g.cache.Kill, g.cache.Start},
		{"memcached hangs", g.cache.Freeze, g.cache.Thaw},
		{"the first server cannot reach memcached", func() { g.nodes[0].cutOff(t, "memcached") }, func() { g.nodes[0].heal(t) }},
		{"the second server cannot reach memcached", func() { g.nodes[1].cutOff(t, "memcached") }, func() { g.nodes[1].heal(t) }},
		{"the first server cannot reach the database", func() { g.nodes[0].cutOff(t, "database") }, func() { g.nodes[0].heal(t) }},
		{"the database is gone", g.db.Kill, g.db.Start},
		{"calm again", func() {}, func() {}},
	} {
		trouble.begin()
		var wg sync.WaitGroup
		for i, d := range devices {
			wg.Go(func() {
				for step := range 3 {
					doc := fmt.Sprintf(`{"origin":"device%d/%d","version":%d}`, i, step, round)
					if err := d.Set(t.Context(), json.RawMessage(doc)); err != nil {
						t.Error(err)
					}
					if _, err := d.Sync(t.Context()); !tolerable(err) {
						t.Errorf("%s: device %d: %v", trouble.name, i, err)
					}
				}
			})
		}
		wg.Go(func() {
			for range 3 {
				old.sync(trouble.name, "old", round)
			}
		})
		wg.Wait()
		for i := range devices {
			for step := range 3 {
				want[fmt.Sprintf("device%d/%d", i, step)] = round
			}
		}
		want["old"] = round
		trouble.end()
	}

	// As long as something is not where it belongs: until what is cached is no
	// longer believed.
	for {
		whole := maps.Equal(old.docs, want)
		for _, d := range devices {
			if _, err := d.Sync(t.Context()); !tolerable(err) {
				t.Fatal(err)
			}
			have := map[string]int{}
			for origin, doc := range d.All() {
				var v struct{ Version int }
				if err := json.NewDecoder(bytes.NewReader(doc)).Decode(&v); err != nil {
					t.Fatal(err)
				}
				have[origin] = v.Version
			}
			whole = whole && maps.Equal(have, want) && d.Pending() == 0
		}
		if whole {
			return
		}
		old.sync("in the end", "", 0)
		if t.Context().Err() != nil || t.Failed() {
			t.FailNow()
		}
		if old.calm > 20_000 {
			t.Fatalf("the first client has %v, want %v", old.docs, want)
		}
	}
}

// firstClient is a client as the first ones were: it sends no lastget, and takes
// the until of a pull, and the received of a push, for its next since.
type firstClient struct {
	session
	since string
	docs  map[string]int
	calm  int // syncs without news at the end
}

func (c *firstClient) sync(when, origin string, version int) {
	a := c.get(c.via, "?since="+c.since)
	if c.failed(when, a) {
		return
	}
	var p page
	c.want(200, a, &p)
	for _, app := range p.Apps {
		c.docs[app.Origin] = app.Version
	}
	c.since = p.Until.String()
	if origin == "" {
		c.calm++
		return
	}
	// Until it is acknowledged, which it will be one day.
	a = c.post(c.via, "", fmt.Sprintf(`[{"origin":%q,"version":%d}]`, origin, version))
	if c.failed(when, a) {
		return
	}
	var r received
	c.want(200, a, &r)
	c.docs[origin] = version
	c.since = r.Received.String()
}

// failed says whether the client has to come again.
func (c *firstClient) failed(when string, a answer) bool {
	if a.err == nil && a.status != 200 && a.status != 503 {
		c.t.Errorf("%s: the first client got %d %s", when, a.status, a.body)
	}
	return a.err != nil || a.status != 200
}
