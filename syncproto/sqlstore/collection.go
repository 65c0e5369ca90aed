package sqlstore

import (
	"context"
	"database/sql"

	"github.com/brownout-go/brownout/syncproto"
)

// collection is a row of sync_collections in a transaction that writes.
type collection struct {
	key   syncproto.Key
	found bool // there is a row
	syncproto.State
	apps  int   // records
	bytes int64 // of their documents
	ids   int   // IDs of writes so far
	// old is the length of the record that a write of one app replaces.
	old sql.NullInt64
}

// open reads the collection that a transaction is going to write apps to.
// Most writes bring one: what it replaces is read with the same statement.
func (s *Store) open(ctx context.Context, tx *sql.Tx, key syncproto.Key, apps []syncproto.App) (*collection, error) {
	c := &collection{key: key}
	into := []any{&c.apps, &c.bytes, &c.ids}
	var row *sql.Row
	if len(apps) == 1 {
		into = append(into, &c.old)
		row = tx.QueryRowContext(ctx, s.queries.openOne, apps[0].Origin, key.User, key.Collection)
	} else {
		row = tx.QueryRowContext(ctx, s.queries.open, key.User, key.Collection)
	}
	var err error
	c.State, c.found, err = scanState(row, into...)
	return c, err
}

// save stores the row.
func (s *Store) save(ctx context.Context, tx *sql.Tx, c *collection) error {
	deleted, err := encodeDeletion(c.Deleted)
	if err != nil {
		return err
	}
	query := s.queries.create
	if c.found {
		query = s.queries.update
	}
	_, err = tx.ExecContext(ctx, query, c.UUID, int64(c.Last), deleted, c.apps, c.bytes, c.ids, c.key.User, c.key.Collection)
	return err
}

// count makes the counts of the collection what they will be with the apps.
func (s *Store) count(ctx context.Context, tx *sql.Tx, c *collection, apps []syncproto.App) error {
	switch {
	case len(apps) == 1:
		if c.old.Valid {
			c.apps--
			c.bytes -= c.old.Int64
		}
	case c.apps > 0:
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
	another := q.Collections > 0 && !c.found
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

// put adds records, or replaces those of the same origin.
func (s *Store) put(ctx context.Context, tx *sql.Tx, c *collection, n int, record func(int) syncproto.Record) error {
	if n == 1 && c.old.Valid {
		r := record(0)
		_, err := tx.ExecContext(ctx, s.queries.replace, int64(r.Time), []byte(r.Doc), c.key.User, c.key.Collection, r.Origin)
		return err
	}
	return inBatches(n, func(batch, from, to int) error {
		args := make([]any, 0, 5*(to-from))
		for i := from; i < to; i++ {
			r := record(i)
			args = append(args, c.key.User, c.key.Collection, r.Origin, int64(r.Time), []byte(r.Doc))
		}
		_, err := tx.ExecContext(ctx, s.queries.put[batch], args...)
		return err
	})
}

// clear removes the records.
func (s *Store) clear(ctx context.Context, tx *sql.Tx, c *collection) error {
	c.apps, c.bytes, c.old = 0, 0, sql.NullInt64{}
	_, err := tx.ExecContext(ctx, s.queries.clear, c.key.User, c.key.Collection)
	return err
}
