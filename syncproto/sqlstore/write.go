package sqlstore

import (
	"context"
	"errors"
	"time"

	"github.com/brownout-go/brownout/internal/uuid"
	"github.com/brownout-go/brownout/syncproto"
)

// Write implements [syncproto.Store] in one transaction, which is repeated when
// the database gave way to another one, until the context ends, or for half a
// minute. A write that SQLite has begun is not interrupted: it ends after the
// statement it is at, and a commit that has begun is waited for.
func (s *Store) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	if w.Delete != nil {
		w.Apps, w.IfUnmodifiedSince = nil, nil
	}
	rows := 1 + len(w.Apps)
	if w.Delete != nil {
		rows = maxGroup // as many as there are
	}
	for {
		var res syncproto.Result
		err := s.transact(ctx, rows, func(tx *tx) (err error) {
			res, err = s.write(tx, key, w)
			return err
		})
		var wait waitError
		var quota *syncproto.QuotaError
		switch {
		case err == nil:
			return res, nil
		case errors.As(err, &wait):
			if !sleep(ctx, time.Duration(wait)) {
				return syncproto.Result{}, wrap(ctx, "write", ctx.Err())
			}
		case errors.Is(err, syncproto.ErrConflict), errors.As(err, &quota):
			return res, err
		default:
			return syncproto.Result{}, wrap(ctx, "write", err)
		}
	}
}

// waitError rolls a transaction back because the collection has used up the
// current tick: see [syncproto.NextTime].
type waitError time.Duration

func (waitError) Error() string { return "the clock has to move on" }

func (s *Store) write(tx *tx, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	c, err := s.open(tx, key, w.Apps)
	if err != nil {
		return syncproto.Result{}, err
	}
	res := syncproto.Result{Time: c.Last, Previous: c.Last, UUID: c.UUID}

	if w.ID != "" && c.ids > 0 {
		res.Replayed, err = tx.get([]any{&res.Time}, s.queries.findID, key.User, key.Collection, []byte(w.ID))
		if err != nil || res.Replayed {
			return res, err
		}
	}
	if since := w.IfUnmodifiedSince; since != nil && c.Last != 0 && c.Last > *since {
		return res, refusal{syncproto.ErrConflict}
	}
	if w.Delete != nil && c.Deleted != nil || w.Delete == nil && len(w.Apps) == 0 && (c.UUID != "" || c.Deleted != nil) {
		if w.ID == "" {
			return res, nil
		}
		return res, s.finish(tx, c, w.ID)
	}

	apps, bytes := c.apps, c.bytes
	if w.Delete != nil {
		c.apps, c.bytes = 0, 0
	} else if err := s.count(tx, c, w.Apps); err != nil {
		return res, err
	}
	if err := s.checkQuota(tx, c, w.Quota, c.apps-apps, c.bytes-bytes); err != nil {
		return res, err
	}
	if w.Delete != nil || len(w.Apps) > 0 {
		t, wait := syncproto.NextTime(c.Last, time.Now())
		if wait > 0 {
			return res, refusal{waitError(wait)}
		}
		c.Last = t
	}
	if w.Delete != nil {
		if err := s.clear(tx, c); err != nil {
			return res, err
		}
		c.UUID, c.Deleted = "", w.Delete
	} else {
		if c.UUID == "" {
			c.UUID = uuid.New()
		}
		c.Deleted = nil
		err := s.put(tx, c, len(w.Apps), func(i int) syncproto.Record {
			return syncproto.Record{Time: c.Last, App: w.Apps[i]}
		})
		if err != nil {
			return res, err
		}
	}
	res.Time, res.UUID = c.Last, c.UUID
	return res, s.finish(tx, c, w.ID)
}

// finish remembers the ID, if there is one, and stores the collection.
func (s *Store) finish(tx *tx, c *collection, id string) error {
	if id != "" {
		if err := s.remember(tx, c, id); err != nil {
			return err
		}
	}
	return s.save(tx, c)
}
