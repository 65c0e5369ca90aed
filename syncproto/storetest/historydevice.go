package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// historyDevice is one client of the stores.
type historyDevice struct {
	n      int
	h      *history
	rng    *rand.Rand
	keys   []syncproto.Key
	whole  bool // nobody else writes to what the user has
	places []place
	since  map[syncproto.Key]syncproto.Time
	lost   []*writeOp // without an answer so far
}

// key takes one of the collections, the later ones less often.
func (d *historyDevice) key() syncproto.Key {
	for i := range d.keys[1:] {
		if d.rng.IntN(5) < 3 {
			return d.keys[i]
		}
	}
	return d.keys[len(d.keys)-1]
}

func (d *historyDevice) place() place { return d.places[d.rng.IntN(len(d.places))] }

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
	key := d.key()
	id := fmt.Sprintf("%d/%d", d.n, i)
	w := syncproto.Write{ID: id}
	switch p := d.rng.IntN(100); {
	case p < 25:
		_, err := d.read(ctx, key, d.since[key], 0)
		return err
	case p < 40:
		_, err := d.read(ctx, key, d.since[key], 1+d.rng.IntN(3))
		return err
	case p < 48:
		w.Delete = &syncproto.Deletion{ClientID: id}
	default:
		for range 1 + d.rng.IntN(3) {
			a := fmt.Sprint("app", d.rng.IntN(5))
			if len(w.Apps) == 0 || w.Apps[len(w.Apps)-1].Origin < a {
				w.Apps = append(w.Apps, app(a, fmt.Sprintf(`{"origin":%q,"by":%q%*s}`, a, id, d.rng.IntN(30), "")))
			}
		}
		if p < 70 {
			since := d.since[key]
			w.IfUnmodifiedSince = &since
		} else if p < 90 {
			w.Quota = d.quota()
		}
	}
	return d.send(ctx, &writeOp{span: span{begin: d.h.tick()}, device: d.n, key: key, write: w})
}

// quota is one that the next write may well be over. Of a user's whole account
// it makes sense only if the history has all of that.
func (d *historyDevice) quota() syncproto.Quota {
	switch n := d.rng.IntN(4); {
	case n == 0 && d.whole:
		return syncproto.Quota{Bytes: 50 + int64(d.rng.IntN(350))}
	case n < 3 && d.whole:
		return syncproto.Quota{Collections: 1 + d.rng.IntN(len(d.keys)-1)}
	}
	return syncproto.Quota{Apps: 1 + d.rng.IntN(5)}
}

// send sends a write once, or twice at the same time, and may not hear of it.
func (d *historyDevice) send(ctx context.Context, w *writeOp) error {
	first, second := d.place(), d.place()
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
	case final(err):
		return err
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
		res, err := d.place().Write(ctx, w.key, w.write)
		if w.refused(err); w.refuse || w.over {
			w.unconditional() // as in send
			continue
		}
		if err == nil {
			w.res = res
			d.h.wrote(w)
			return nil
		}
		if final(err) {
			return err
		}
		d.h.failed()
		if late := pause(ctx, wait); late != nil {
			return fmt.Errorf("storetest: no answer to a write: %w", errors.Join(err, late))
		}
	}
}

// read reads a page, and says whether there is more.
func (d *historyDevice) read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int) (more bool, _ error) {
	for wait := time.Millisecond; ; wait = min(2*wait, time.Second) {
		r := &readOp{span: span{begin: d.h.tick()}, asked: time.Now(), device: d.n, key: key, since: since, limit: limit}
		p, late, err := d.place().page(ctx, key, since, limit)
		if err == nil {
			r.page, r.late = p, late
			d.h.read(r)
			d.since[key] = p.until(since)
			return p.more, nil
		}
		if final(err) {
			return false, err
		}
		d.h.failed()
		if late := pause(ctx, wait); late != nil {
			return false, fmt.Errorf("storetest: no answer to a read: %w", errors.Join(err, late))
		}
	}
}

// final says whether an error is none that a fault excuses.
func final(err error) bool { return errors.Is(err, errOrder) || errors.Is(err, errAnswer) }
