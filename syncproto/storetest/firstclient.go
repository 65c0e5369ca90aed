package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// firstClient does what the first clients did: it pulls until nothing is left,
// and only then pushes; it takes the until of a page, and the received of a push,
// for its next since; and it never says what it has seen.
type firstClient struct {
	*historyDevice
	wire *wire
	key  syncproto.Key

	from syncproto.Time // its since
	uuid string
	seen syncproto.Time // the latest state that it has anything of
	docs map[string]string
}

func (c *firstClient) run(ctx context.Context) error {
	c.docs = map[string]string{}
	for i := range serviceActs {
		if c.rng.IntN(12) == 0 {
			c.wire.logout(c.key.User)
		}
		whole, err := c.sync(ctx)
		if err == nil && whole && c.rng.IntN(3) > 0 {
			err = c.push(ctx, fmt.Sprintf("%d/%d", c.n, i))
		}
		if final(err) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			c.h.failed()
		}
		if len(c.lost) > 0 && c.rng.IntN(2) == 0 {
			if err := c.again(ctx); err != nil {
				return err
			}
		}
		if err := pause(ctx, time.Duration(c.rng.IntN(10))*time.Millisecond); err != nil {
			return err
		}
	}
	for len(c.lost) > 0 {
		if err := c.again(ctx); err != nil {
			return err
		}
	}
	return nil
}

// reset forgets what was synced.
func (c *firstClient) reset() {
	c.from, c.uuid, c.seen = 0, "", 0
	clear(c.docs)
}

// sync pulls all pages. It says whether the client may push.
func (c *firstClient) sync(ctx context.Context) (bool, error) {
	for more := true; more; {
		r := &readOp{span: span{begin: c.h.tick()}, asked: time.Now(), device: c.n, key: c.key, since: c.from}
		p, late, err := c.wire.pull(ctx, c.key, c.from, "")
		if err != nil {
			return false, err
		}
		r.page, r.late = p, late
		c.h.read(r)
		if p.state.Deleted != nil {
			if c.rng.IntN(3) > 0 {
				return false, nil
			}
			c.reset() // it is told to go on all the same
			return true, nil
		}
		if p.state.UUID != c.uuid && (c.uuid != "" || len(c.docs) > 0) {
			c.reset()
			return false, nil
		}
		c.uuid = p.state.UUID
		for _, rec := range p.records {
			c.docs[rec.Origin] = string(rec.Doc)
		}
		if n := len(p.records); n > 0 {
			c.from, c.seen = p.records[n-1].Time, max(c.seen, p.state.Last)
		}
		if more = p.more; !more {
			have := &copyOp{by: r, seen: c.seen, docs: map[string]string{}}
			for origin, doc := range c.docs {
				have.docs[origin] = doc
			}
			c.h.copied(have)
		}
	}
	return true, nil
}

func (c *firstClient) push(ctx context.Context, id string) error {
	w := &writeOp{span: span{begin: c.h.tick()}, device: c.n, key: c.key, tries: 1}
	w.write.ID = id
	for range 1 + c.rng.IntN(2) {
		a := fmt.Sprint("app", c.rng.IntN(5))
		if len(w.write.Apps) == 0 || w.write.Apps[0].Origin < a {
			w.write.Apps = append(w.write.Apps, app(a, fmt.Sprintf(`{"origin":%q,"by":%q}`, a, id)))
		}
	}
	res, received, err := c.wire.push(ctx, c.key, w.write)
	if err != nil {
		c.lost = append(c.lost, w) // and whether it happened is found out later
		return err
	}
	w.res = res
	c.h.wrote(w)
	c.from, c.seen = received, max(c.seen, res.Time)
	for _, a := range w.write.Apps {
		c.docs[a.Origin] = string(a.Doc)
	}
	return nil
}
