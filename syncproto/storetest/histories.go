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

// Histories lets devices push, pull, delete, lose answers and send again, all
// at the same time, n times over, and fails if any of what they were told
// cannot be explained by one order of all writes: if an update was lost,
// missed, brought back or put out of order.
//
// Open returns stores that share one database, as several servers do; one is
// enough. It is called for each history, and may return the same ones: each
// history is that of a user of its own. They may fail, for a while or because
// somebody cuts their connections or kills their process: a write without an
// answer is repeated with its ID until it has one, for at most a minute. The
// seed makes the devices do the same again; how they overlap is the machine's
// doing.
//
// A store may be a client that speaks to a server, and so not be told
// everything. It leaves a record's Time zero if it doesn't know it, and sets
// Result.Replayed if it doesn't know Previous and UUID.
//
// With the environment variable SYNCPROTO_HISTORIES set to a number it makes
// that many histories instead of n:
//
//	SYNCPROTO_HISTORIES=1000 go test -run Histories -timeout 0 -v ./...
func Histories(t *testing.T, n int, seed uint64, open func(t *testing.T) []syncproto.Store) {
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
			h, err := record(t.Context(), rand.New(rand.NewPCG(s, 0)), open(t))
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

// record makes one history.
func record(ctx context.Context, rng *rand.Rand, stores []syncproto.Store) (*history, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	h := new(history)
	user := uuid.New() + "@example.com"
	keys := []syncproto.Key{{User: user, Collection: "apps"}, {User: user, Collection: "more"}}
	if err := seedAhead(ctx, h, rng, stores[0], keys[0]); err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	errs := make([]error, historyDevices)
	for i := range historyDevices {
		d := &historyDevice{
			n: i, h: h, keys: keys, stores: stores, since: map[syncproto.Key]syncproto.Time{},
			rng: rand.New(rand.NewPCG(rng.Uint64(), uint64(i))),
		}
		wg.Go(func() { errs[i] = d.run(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	last := &historyDevice{n: historyDevices, h: h, keys: keys, stores: stores, rng: rng, since: map[syncproto.Key]syncproto.Time{}}
	for _, k := range keys {
		if err := last.read(ctx, k, 0, 0); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// seedAhead makes, in some histories, a collection whose last write has a time
// to come: what a clock leaves behind that was set back.
func seedAhead(ctx context.Context, h *history, rng *rand.Rand, s syncproto.Store, key syncproto.Key) error {
	r, ok := s.(syncproto.Replica)
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

// historyDevice is one client of the stores.
type historyDevice struct {
	n      int
	h      *history
	rng    *rand.Rand
	keys   []syncproto.Key
	stores []syncproto.Store
	since  map[syncproto.Key]syncproto.Time
	lost   []*writeOp // without an answer so far
}

func (d *historyDevice) store() syncproto.Store { return d.stores[d.rng.IntN(len(d.stores))] }

func (d *historyDevice) run(ctx context.Context) error {
	for i := range historyActs {
		if err := d.act(ctx, i); err != nil {
			return err
		}
		if len(d.lost) > 0 && d.rng.IntN(3) == 0 {
			if err := d.again(ctx); err != nil {
				return err
			}
		}
	}
	for len(d.lost) > 0 {
		if err := d.again(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *historyDevice) act(ctx context.Context, i int) error {
	key := d.keys[d.rng.IntN(len(d.keys))]
	id := fmt.Sprintf("%d/%d", d.n, i)
	w := syncproto.Write{ID: id}
	switch p := d.rng.IntN(100); {
	case p < 25:
		return d.read(ctx, key, d.since[key], 0)
	case p < 40:
		return d.read(ctx, key, d.since[key], 1+d.rng.IntN(4))
	case p < 48:
		w.Delete = &syncproto.Deletion{ClientID: id}
	default:
		for range 1 + d.rng.IntN(3) {
			a := fmt.Sprint("app", d.rng.IntN(5))
			if len(w.Apps) == 0 || w.Apps[len(w.Apps)-1].Origin < a {
				w.Apps = append(w.Apps, app(a, fmt.Sprintf(`{"origin":%q,"by":%q}`, a, id)))
			}
		}
		if p < 70 {
			since := d.since[key]
			w.IfUnmodifiedSince = &since
		} else if p < 85 {
			w.Quota.Apps = 1 + d.rng.IntN(5)
		}
	}
	return d.send(ctx, &writeOp{span: span{begin: d.h.tick()}, device: d.n, key: key, write: w})
}

// send sends a write once, or twice at the same time, and may not hear of it.
func (d *historyDevice) send(ctx context.Context, w *writeOp) error {
	first, second := d.store(), d.store()
	var wg sync.WaitGroup
	if d.rng.IntN(8) == 0 {
		w.tries++
		wg.Go(func() { second.Write(ctx, w.key, w.write) })
	}
	w.tries++
	res, err := first.Write(ctx, w.key, w.write)
	wg.Wait()
	switch w.refused(err); {
	case w.refuse || w.over:
	case err != nil || d.rng.IntN(8) == 0: // or the answer is lost
		if err != nil {
			d.h.failed()
		}
		d.lost = append(d.lost, w)
		return ctx.Err()
	}
	if (w.refuse || w.over) && w.tries > 1 {
		// A copy may have gone through after this one was refused, or still do.
		// Whether it did is found out by asking without the condition.
		w.unconditional()
		d.lost = append(d.lost, w)
		return nil
	}
	w.res = res
	d.h.wrote(w)
	return nil
}

// refused takes note of an answer that says so.
func (w *writeOp) refused(err error) {
	var q *syncproto.QuotaError
	w.refuse, w.over = errors.Is(err, syncproto.ErrConflict), errors.As(err, &q)
}

func (w *writeOp) unconditional() {
	w.refuse, w.over = false, false
	w.write.IfUnmodifiedSince, w.write.Quota = nil, syncproto.Quota{}
}

// again repeats a write that had no answer.
func (d *historyDevice) again(ctx context.Context) error {
	w := d.lost[0]
	d.lost = d.lost[1:]
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		w.tries++
		res, err := d.store().Write(ctx, w.key, w.write)
		if w.refused(err); w.refuse || w.over {
			w.unconditional() // as in send
			continue
		}
		if err == nil {
			w.res = res
			d.h.wrote(w)
			return nil
		}
		d.h.failed()
		if late := pause(ctx, wait); late != nil {
			return fmt.Errorf("storetest: no answer to a write: %w", errors.Join(err, late))
		}
	}
}

func (d *historyDevice) read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int) error {
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		x := &suite{Store: d.store(), timeless: true}
		r := &readOp{span: span{begin: d.h.tick()}, device: d.n, key: key, since: since, limit: limit}
		p, err := x.tryRead(ctx, key, since, limit)
		if err == nil {
			r.page = p
			d.h.read(r)
			d.since[key] = p.until(since)
			return nil
		}
		if errors.Is(err, errOrder) {
			return err
		}
		d.h.failed()
		if late := pause(ctx, wait); late != nil {
			return fmt.Errorf("storetest: no answer to a read: %w", errors.Join(err, late))
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
