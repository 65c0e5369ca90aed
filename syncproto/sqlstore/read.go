package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"github.com/brownout-go/brownout/syncproto"
)

// ahead is how many bytes of documents a read takes from the database before
// it hands out the first. A read that fits holds no connection while a slow
// client takes its time; a larger one streams the rest.
const ahead = 64 << 10

// Read implements [syncproto.Store]. It sees one moment, in a read-only
// transaction or, with SQLite, in one statement, and holds up no writer. One of
// more than 64 KiB lasts until the last record is taken.
func (s *Store) Read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int,
	begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	var more bool
	var out output
	err := s.insist(ctx, func() (err error) {
		out = output{begin: begin, each: each}
		if s.dialect.places > 0 {
			more, err = s.pull(ctx, &out, key, since, limit)
		} else {
			more, err = s.readInto(ctx, &out, key, since, limit)
		}
		if err != nil && out.begun {
			return &final{err} // what the callbacks were given can't be taken back
		}
		return err
	})
	if err == nil {
		err = out.flush()
	}
	var f *final
	if errors.As(err, &f) {
		err = f.error
	}
	var c *callbackError
	switch {
	case errors.As(err, &c):
		return false, c.error
	case err != nil:
		return false, wrap(ctx, "read", err)
	}
	return more, nil
}

// pull reads with one statement, and stops after the last record of the page.
func (s *Store) pull(ctx context.Context, out *output, key syncproto.Key, since syncproto.Time, limit int) (more bool, err error) {
	args := s.at(key)
	place := args[0].(int64) - firstCollection
	rows, err := s.db.QueryContext(ctx, s.queries.pull, append(args, place+second(since), place+lastRecord, int64(since))...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var until syncproto.Time
	last := int64(math.MaxInt64) // no record comes before the state
	for n := 0; rows.Next(); {
		var id int64
		var name string
		var t syncproto.Time
		var bytes sql.RawBytes
		if err := rows.Scan(&id, &name, &t, &bytes); err != nil {
			return false, err
		}
		if id < 0 {
			last = id
			st := stateRow{uuid: name, last: int64(t), deleted: bytes}
			if out.state, err = st.state(); err != nil {
				return false, err
			}
			continue
		}
		if id <= last {
			return false, errors.New("the rows of a collection come in a wrong order: is reverse_unordered_selects on?")
		}
		last = id
		if n++; limit > 0 && n > limit && t != until {
			return true, nil
		}
		until = t
		if err := out.add(syncproto.Record{Time: t, App: syncproto.App{Origin: name, Doc: json.RawMessage(bytes)}}); err != nil {
			return false, err
		}
	}
	return false, rows.Err()
}

// readInto reads what there is to read, one statement after the other.
func (s *Store) readInto(ctx context.Context, out *output, key syncproto.Key, since syncproto.Time, limit int) (more bool, err error) {
	tx, err := s.db.BeginTx(ctx, s.dialect.read)
	if err != nil {
		return false, err
	}
	defer tx.Rollback() // ends it as well as a commit would
	if out.state, err = s.scanState(tx.QueryRowContext(ctx, s.queries.state, s.at(key)...)); err != nil {
		return false, err
	}
	if out.state.Last <= since {
		return false, nil
	}
	until := syncproto.Time(math.MaxInt64)
	if limit > 0 {
		if until, more, err = s.pageEnd(ctx, tx, key, since, limit); err != nil {
			return false, err
		}
	}
	rows, err := tx.QueryContext(ctx, s.queries.page, key.User, key.Collection, int64(since), int64(until))
	if err != nil {
		return false, err
	}
	defer rows.Close()
	for rows.Next() {
		var r syncproto.Record
		var doc sql.RawBytes
		if err := rows.Scan(&r.Origin, &r.Time, &doc); err != nil {
			return false, err
		}
		r.Doc = json.RawMessage(doc)
		if err := out.add(r); err != nil {
			return false, err
		}
	}
	return more, rows.Err()
}

// pageEnd returns the time of the last record of a page of limit records, or
// of slightly more if they share that time, and whether any come after it.
func (s *Store) pageEnd(ctx context.Context, tx *sql.Tx, key syncproto.Key, since syncproto.Time, limit int) (syncproto.Time, bool, error) {
	var until syncproto.Time
	err := tx.QueryRowContext(ctx, s.queries.cutoff, key.User, key.Collection, int64(since), limit-1).Scan(&until)
	if errors.Is(err, sql.ErrNoRows) {
		return math.MaxInt64, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	var one int
	err = tx.QueryRowContext(ctx, s.queries.more, key.User, key.Collection, int64(until)).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return until, false, nil
	}
	return until, err == nil, err
}

// output hands a read to its callbacks: the first records once there are
// enough of them or no more to come, the rest as they are added.
type output struct {
	begin func(syncproto.State) error
	each  func(syncproto.Record) error

	state   syncproto.State
	pending []syncproto.Record
	bytes   int
	begun   bool
}

// add takes a record whose document is valid until add returns.
func (o *output) add(r syncproto.Record) error {
	if o.begun {
		return callback(o.each(r))
	}
	r.Doc = slices.Clone(r.Doc)
	o.pending = append(o.pending, r)
	o.bytes += len(r.Doc)
	if o.bytes < ahead {
		return nil
	}
	return o.flush()
}

func (o *output) flush() error {
	if !o.begun {
		o.begun = true
		if err := callback(o.begin(o.state)); err != nil {
			return err
		}
	}
	for _, r := range o.pending {
		if err := callback(o.each(r)); err != nil {
			return err
		}
	}
	o.pending = nil
	return nil
}

// callbackError is an error of begin or each, to be returned as it is.
type callbackError struct{ error }

func callback(err error) error {
	if err == nil {
		return nil
	}
	return &callbackError{err}
}

// final is an error that must not make insist try again: it hides its cause.
type final struct{ error }
