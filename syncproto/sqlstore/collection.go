package sqlstore

import (
	"database/sql"

	"github.com/brownout-go/brownout/syncproto"
)

// collection is the row of a collection in a transaction that writes.
type collection struct {
	key   syncproto.Key
	found bool // there is a row
	syncproto.State
	apps  int   // records
	bytes int64 // of their documents
	ids   int   // IDs of writes so far
	// placed says that it has a place, and what follows means something: where the
	// place begins, the id of the row, and that of the last record in the place.
	placed          bool
	place, id, last int64
	// old is the length of the record that a write of one app replaces.
	old sql.NullInt64
}

// lock keeps everybody else from writing for the account until the transaction
// ends. It is the account and not the collection, because a quota is about all
// collections of a user.
func (s *Store) lock(tx *tx, account string) error {
	if s.queries.lock == "" {
		return nil // SQLite: the transaction has the whole database
	}
	for {
		var one int
		found, err := tx.get([]any{&one}, s.queries.lock, account)
		if err != nil || found {
			return err
		}
		// The first write for it, or one that waited for a purge.
		if err := tx.exec(s.queries.createAccount, account); err != nil {
			return err
		}
	}
}

// open reads the collection that a transaction is going to write apps to.
// Most writes bring one: what it replaces is read with the same statement.
func (s *Store) open(tx *tx, key syncproto.Key, apps []syncproto.App) (*collection, error) {
	if err := s.lock(tx, key.User); err != nil {
		return nil, err
	}
	c := &collection{key: key, placed: s.dialect.places > 0}
	var row stateRow
	into, args, query := row.into(&c.apps, &c.bytes, &c.ids), s.at(key), s.queries.open
	if c.placed {
		c.place = args[0].(int64) - firstCollection
		into, args = append(into, &c.id, &c.last), append(args, c.place+lastRecord)
	}
	if len(apps) == 1 {
		query, into = s.queries.openOne, append(into, &c.old)
		if c.placed {
			args = append(args, apps[0].Origin)
		} else {
			args = append([]any{apps[0].Origin}, args...)
		}
	}
	var err error
	if c.found, err = tx.get(into, query, args...); err == nil {
		c.State, err = row.state()
	}
	if err == nil && !c.found {
		err = s.settle(tx, c)
	}
	c.last = max(c.last, c.place-1)
	return c, err
}

// save stores the row.
func (s *Store) save(tx *tx, c *collection) error {
	deleted, err := encodeDeletion(c.Deleted)
	if err != nil {
		return err
	}
	query := s.queries.create
	if c.found {
		query = s.queries.update
	}
	args := []any{c.UUID, int64(c.Last), deleted, c.apps, c.bytes, c.ids}
	if c.placed {
		args = append(args, c.id)
	}
	if !c.placed || !c.found {
		args = append(args, c.key.User, c.key.Collection)
	}
	return tx.exec(query, args...)
}

// count makes the counts of the collection what they will be with the apps.
func (s *Store) count(tx *tx, c *collection, apps []syncproto.App) error {
	switch {
	case len(apps) == 1:
		if c.old.Valid {
			c.apps--
			c.bytes -= c.old.Int64
		}
	case c.apps > 0:
		err := inBatches(len(apps), func(batch, from, to int) error {
			args := c.of(make([]any, 0, 2+to-from))
			for _, app := range apps[from:to] {
				args = append(args, app.Origin)
			}
			var replaced int
			var bytes int64
			_, err := tx.get([]any{&replaced, &bytes}, s.queries.held[batch], args...)
			c.apps -= replaced
			c.bytes -= bytes
			return err
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
func (s *Store) checkQuota(tx *tx, c *collection, q syncproto.Quota, apps int, bytes int64) error {
	if q.Apps > 0 && apps > 0 && c.apps > q.Apps {
		return refusal{&syncproto.QuotaError{What: "apps", Limit: int64(q.Apps), Have: int64(c.apps)}}
	}
	another := q.Collections > 0 && !c.found
	more := q.Bytes > 0 && bytes > 0
	if !another && !more {
		return nil
	}
	var collections int
	var total int64
	if _, err := tx.get([]any{&collections, &total}, s.queries.total, c.key.User); err != nil {
		return err
	}
	if another && collections+1 > q.Collections {
		return refusal{&syncproto.QuotaError{What: "collections", Limit: int64(q.Collections), Have: int64(collections + 1)}}
	}
	if more && total+bytes > q.Bytes {
		return refusal{&syncproto.QuotaError{What: "bytes", Limit: q.Bytes, Have: total + bytes}}
	}
	return nil
}

// maxStatement is how many bytes of documents one statement may carry, if they
// are of more than one: MySQL refuses large ones (max_allowed_packet).
const maxStatement = 4 << 20

// put adds records, or replaces those of the same origin.
func (s *Store) put(tx *tx, c *collection, n int, record func(int) syncproto.Record) error {
	if err := s.makeRoom(tx, c, n); err != nil {
		return err
	}
	if n == 1 && c.old.Valid {
		return tx.exec(s.queries.replace, c.row(nil, record(0))...)
	}
	return inBatches(n, func(batch, from, to int) error {
		size := 0
		for i := from; i < to; i++ {
			size += len(record(i).Doc)
		}
		if size > maxStatement && to-from > 1 {
			for i := from; i < to; i++ {
				if err := s.put(tx, c, 1, func(int) syncproto.Record { return record(i) }); err != nil {
					return err
				}
			}
			return nil
		}
		args := make([]any, 0, 5*(to-from))
		for i := from; i < to; i++ {
			args = c.row(args, record(i))
		}
		return tx.exec(s.queries.put[batch], args...)
	})
}

// clear removes the records.
func (s *Store) clear(tx *tx, c *collection) error {
	c.apps, c.bytes, c.old = 0, 0, sql.NullInt64{}
	var args []any
	if c.placed {
		args = append(args, c.place, c.place+lastRecord)
	}
	return tx.exec(s.queries.clear, c.of(args)...)
}
