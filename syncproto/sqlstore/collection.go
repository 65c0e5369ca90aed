package sqlstore

import (
	"context"
	"database/sql"

	"github.com/brownout-go/brownout/syncproto"
)

// collection is a row of sync_collections in a transaction that writes.
type collection struct {
	key    syncproto.Key
	exists bool
	syncproto.State
	apps  int   // records
	bytes int64 // of their documents
	ids   int   // IDs of writes so far
}

// open reads the collection that a transaction is going to write, and keeps
// everybody else from writing it.
func (s *Store) open(ctx context.Context, tx *sql.Tx, key syncproto.Key) (*collection, error) {
	c := &collection{key: key}
	row := tx.QueryRowContext(ctx, s.queries.open, key.User, key.Collection)
	var err error
	c.State, err = scanState(row, &c.apps, &c.bytes, &c.ids)
	c.exists = c.UUID != "" || c.Deleted != nil
	return c, err
}

func (s *Store) save(ctx context.Context, tx *sql.Tx, c *collection) error {
	deleted, err := encodeDeletion(c.Deleted)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, s.queries.save,
		c.key.User, c.key.Collection, c.UUID, int64(c.Last), deleted, c.apps, c.bytes, c.ids)
	return err
}

// count makes the counts of the collection what they will be with the apps.
func (s *Store) count(ctx context.Context, tx *sql.Tx, c *collection, apps []syncproto.App) error {
	if c.apps > 0 {
		err := inBatches(len(apps), func(batch, from, to int) error {
			args := make([]any, 0, 2+to-from)
			args = append(args, c.key.User, c.key.Collection)
			for _, app := range apps[from:to] {
				args = append(args, app.Origin)
			}
			var replaced int
			var bytes int64
			if err := tx.QueryRowContext(ctx, s.queries.held[batch], args...).Scan(&replaced, &bytes); err != nil {
				return err
			}
			c.apps -= replaced
			c.bytes -= bytes
			return nil
		})
		if err != nil {
			return err
		}
	}
	c.apps += len(apps)
	for _, app := range apps {
		c.bytes += int64(len(app.Doc))
	}
	return nil
}

// checkQuota refuses a write that adds apps and bytes to what is over a bound.
func (s *Store) checkQuota(ctx context.Context, tx *sql.Tx, c *collection, q syncproto.Quota, apps int, bytes int64) error {
	if q.Apps > 0 && apps > 0 && c.apps > q.Apps {
		return &syncproto.QuotaError{What: "apps", Limit: int64(q.Apps), Have: int64(c.apps)}
	}
	another := q.Collections > 0 && !c.exists
	more := q.Bytes > 0 && bytes > 0
	if !another && !more {
		return nil
	}
	var collections int
	var total int64
	if err := tx.QueryRowContext(ctx, s.queries.total, c.key.User).Scan(&collections, &total); err != nil {
		return err
	}
	if another && collections+1 > q.Collections {
		return &syncproto.QuotaError{What: "collections", Limit: int64(q.Collections), Have: int64(collections + 1)}
	}
	if more && total+bytes > q.Bytes {
		return &syncproto.QuotaError{What: "bytes", Limit: q.Bytes, Have: total + bytes}
	}
	return nil
}
