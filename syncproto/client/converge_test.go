package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/client"
)

// Devices change and sync at random over a network that loses requests and
// answers, and are restarted in the middle. When it has become quiet all hold
// the same, and nothing that was changed last is missing.
func TestDevicesConverge(t *testing.T) {
	for seed := range uint64(25) {
		synctest.Test(t, func(t *testing.T) { converge(t, seed) })
	}
}

func converge(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	faults := rand.New(rand.NewPCG(seed, 1)) // used by one request at a time
	broken := true
	s := serve(t, syncproto.Config{Limits: syncproto.Limits{Page: 1 + int(seed%4)}})
	s.mangle = func(next http.Handler, w http.ResponseWriter, r *http.Request) {
		if !broken {
			next.ServeHTTP(w, r)
			return
		}
		switch faults.IntN(10) {
		case 0: // the request is lost
			panic(http.ErrAbortHandler)
		case 1: // the answer is lost
			next.ServeHTTP(discard{http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
		case 3: // half of the answer is lost
			next.ServeHTTP(&cut{ResponseWriter: w, left: 20}, r)
			panic(http.ErrAbortHandler)
		default:
			next.ServeHTTP(w, r)
		}
	}

	const n = 3
	var disks [n]disk
	device := func(i int) *client.Device {
		c := s.config()
		c.Storage = &disks[i]
		return open(t, c)
	}
	var devices []*client.Device
	for i := range n {
		devices = append(devices, device(i))
	}
	for step := range 60 {
		i := rng.IntN(n)
		d := devices[i]
		switch p := rng.IntN(10); {
		case p < 4:
			set(t, d, fmt.Sprintf(`{"origin":"app%d","by":%d,"step":%d}`, rng.IntN(8), i, step))
		case p < 5:
			if err := d.Remove(t.Context(), fmt.Sprint("app", rng.IntN(8))); err != nil {
				t.Fatal(err)
			}
		case p < 6:
			devices[i] = device(i) // as after a crash
		default:
			d.Sync(t.Context())
		}
		time.Sleep(time.Duration(rng.IntN(30)) * time.Millisecond)
	}
	final := `{"origin":"last","seed":` + fmt.Sprint(seed) + `}`
	set(t, devices[0], final)
	broken = false
	for range 3 {
		for _, d := range devices {
			sync(t, d)
		}
	}
	fresh := open(t, s.config())
	sync(t, fresh)
	want := docs(fresh)
	if want["last"] != final {
		t.Errorf("seed %d: the last change did not arrive: %v", seed, want)
	}
	for i, d := range devices {
		if got := docs(d); !maps.Equal(got, want) || d.Pending() != 0 {
			t.Errorf("seed %d: device %d holds %v with %d pending, a new one %v", seed, i, got, d.Pending(), want)
		}
	}
}

func docs(d *client.Device) map[string]string {
	all := map[string]string{}
	for o, doc := range d.All() {
		all[o] = string(json.RawMessage(doc))
	}
	return all
}

// disk is a storage that outlives its device.
type disk struct{ state []byte }

func (d *disk) Load(context.Context) ([]byte, error) { return d.state, nil }

func (d *disk) Save(_ context.Context, state []byte) error {
	d.state = state
	return nil
}

// cut lets so many bytes of the body through.
type cut struct {
	http.ResponseWriter
	left int
}

func (c *cut) Write(b []byte) (int, error) {
	n := min(len(b), c.left)
	c.left -= n
	c.ResponseWriter.Write(b[:n])
	http.NewResponseController(c.ResponseWriter).Flush()
	return len(b), nil
}
