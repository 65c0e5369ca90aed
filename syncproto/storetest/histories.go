package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/uuid"
	"github.com/brownout-go/brownout/syncproto"
)

// historiesEnv makes a soak of every test that calls Histories.
const historiesEnv = "SYNCPROTO_HISTORIES"

// Histories lets devices push, pull, delete, lose answers and send again, on
// conditions, under quotas and in pages, all at the same time, n times over, and
// fails if any of what they were told cannot be explained by one order of all
// writes: if an update was lost, missed, brought back or put out of order, or if
// what the user holds was counted wrong, as by a refused write that left something.
//
// Open returns stores that share one database, as several servers do; one is
// enough. It is called for each history, and may return the same ones: each
// history is that of a user of its own. They may fail, for a while or because
// somebody cuts their connections or kills their process: a write without an
// answer is repeated with its ID until it has one, for at most a minute. The
// seed makes the devices do the same again; how they overlap is the machine's
// doing.
//
// With the environment variable SYNCPROTO_HISTORIES set to a number it makes
// that many histories instead of n:
//
//	SYNCPROTO_HISTORIES=1000 go test -run Histories -timeout 0 -v ./...
func Histories(t *testing.T, n int, seed uint64, open func(t *testing.T) []syncproto.Store) {
	play(t, n, seed, func(t *testing.T, rng *rand.Rand) (*history, error) {
		var places []place
		for _, s := range open(t) {
			places = append(places, direct{s})
		}
		return record(t.Context(), rng, new(history), places, nil)
	})
}

// play makes histories, or as many as the environment asks for, and checks them.
func play(t *testing.T, n int, seed uint64, record func(*testing.T, *rand.Rand) (*history, error)) {
	if soak := os.Getenv(historiesEnv); soak != "" {
		var err error
		if n, err = strconv.Atoi(soak); err != nil || n < 1 {
			t.Fatalf("storetest: %s=%q: want how many histories", historiesEnv, soak)
		}
	}
	var sum summary
	began := time.Now()
	for i := range n {
		s := seed + uint64(i)
		ok := t.Run(fmt.Sprintf("seed=%d", s), func(t *testing.T) {
			h, err := record(t, rand.New(rand.NewPCG(s, 0)))
			if err != nil {
				t.Fatal(err)
			}
			sum.add(h)
			if wrong := h.check(); len(wrong) > 0 {
				t.Fatalf("%d things wrong in a history of %d writes and %d reads:\n%s",
					len(wrong), len(h.writes), len(h.reads), strings.Join(wrong[:min(5, len(wrong))], "\n"))
			}
		})
		if !ok {
			break // the next ones would say the same
		}
	}
	t.Logf("%v in %v", sum, time.Since(began).Round(time.Second))
}

// summary is how much some histories asked of the stores.
type summary struct{ histories, writes, copies, reads, failures int }

func (s *summary) add(h *history) {
	s.histories++
	s.writes += len(h.writes)
	for _, w := range h.writes {
		s.copies += w.tries - 1
	}
	s.reads += len(h.reads)
	s.failures += h.failures
}

func (s summary) String() string {
	return fmt.Sprintf("%d histories: %d writes, sent another %d times, %d reads; %d calls failed", s.histories, s.writes, s.copies, s.reads, s.failures)
}

const (
	historyDevices = 4
	historyActs    = 14
	patience       = time.Minute
)

// place is what devices read from and write to.
type place interface {
	Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error)
	// page reads what is newer than since. Late says that it may be of a while
	// ago.
	page(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int) (p page, late bool, err error)
}

// direct is a store without a service in front.
type direct struct{ syncproto.Store }

func (d direct) page(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int) (page, bool, error) {
	p, err := (&suite{Store: d.Store}).tryRead(ctx, key, since, limit)
	return p, false, err
}

// record makes one history. Others take part in it beside the devices.
func record(ctx context.Context, rng *rand.Rand, h *history, places []place, others func(*historyDevice) []func(context.Context) error) (*history, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	user := uuid.New() + "@example.com"
	var keys []syncproto.Key
	for _, name := range []string{"apps", "more", "less", "rare", "last"} {
		keys = append(keys, syncproto.Key{User: user, Collection: name})
	}
	if err := seedAhead(ctx, h, rng, places[0], keys[0]); err != nil {
		return nil, err
	}
	device := func(n int) *historyDevice {
		return &historyDevice{
			n: n, h: h, keys: keys, whole: others == nil, places: places, since: map[syncproto.Key]syncproto.Time{},
			rng: rand.New(rand.NewPCG(rng.Uint64(), uint64(n))),
		}
	}
	var all []func(context.Context) error
	for i := range historyDevices {
		all = append(all, device(i).run)
	}
	last := device(historyDevices)
	if others != nil {
		all = append(all, others(last)...)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	for i, run := range all {
		wg.Go(func() { errs[i] = run(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, k := range keys {
		for more := true; more; {
			var err error
			if more, err = last.read(ctx, k, last.since[k], 0); err != nil {
				return nil, err
			}
		}
	}
	return h, count(ctx, h, user, places[0])
}

// counter is the part of a [syncproto.Directory] that counts.
type counter interface {
	Collections(ctx context.Context, user string) ([]syncproto.Usage, error)
}

// count asks what there is in the end, if the store can tell.
func count(ctx context.Context, h *history, user string, p place) (err error) {
	d, _ := p.(direct)
	dir, ok := d.Store.(counter)
	for wait := time.Millisecond; ok; wait = min(2*wait, time.Second) {
		if h.usage, err = dir.Collections(ctx, user); err == nil {
			h.counted = true
			break
		}
		h.failed()
		if late := pause(ctx, wait); late != nil {
			return fmt.Errorf("storetest: no answer to Collections: %w", errors.Join(err, late))
		}
	}
	return nil
}

// seedAhead makes, in some histories, a collection whose last write has a time
// to come: what a clock leaves behind that was set back.
func seedAhead(ctx context.Context, h *history, rng *rand.Rand, p place, key syncproto.Key) error {
	d, _ := p.(direct)
	r, ok := d.Store.(syncproto.Replica)
	ahead := []time.Duration{0, 0, 200 * time.Millisecond, time.Hour}[rng.IntN(4)]
	if !ok || ahead == 0 {
		return nil
	}
	w := &writeOp{span: span{begin: h.tick()}, device: -1, key: key, tries: 1}
	w.write.Apps = []syncproto.App{app("seed", `{"seed":true}`)}
	w.res = syncproto.Result{Time: syncproto.TimeOf(time.Now().Add(ahead)), UUID: uuid.New()}
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := r.Apply(ctx, key, syncproto.Change{
			State:   syncproto.State{UUID: w.res.UUID, Last: w.res.Time},
			Records: []syncproto.Record{{Time: w.res.Time, App: w.write.Apps[0]}},
		})
		if err == nil {
			h.wrote(w)
			return nil
		}
		h.failed()
		if late := pause(ctx, wait); late != nil {
			return fmt.Errorf("storetest: no answer to Apply: %w", errors.Join(err, late))
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
