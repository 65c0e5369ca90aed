package sqlstore

import (
	"context"
	"database/sql"
	"time"
)

// patience is how long a transaction is repeated when the context sets no
// bound.
const patience = 30 * time.Second

// transact runs f in a transaction that writes, from the beginning again when
// another one got in its way, until the context ends. It returns the error of f
// as it is.
func (s *Store) transact(ctx context.Context, f func(*sql.Tx) error) error {
	if s.writing != nil {
		select {
		case s.writing <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		defer func() { <-s.writing }()
	}
	return s.insist(ctx, func() error {
		tx, err := s.db.BeginTx(ctx, s.dialect.write)
		if err != nil {
			return err
		}
		if err := f(tx); err != nil {
			_ = tx.Rollback() // there is nothing to do about it: the connection is given up
			return err
		}
		return tx.Commit()
	})
}

// insist repeats f while it fails for having met another transaction.
func (s *Store) insist(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 64*time.Millisecond) {
		err := f()
		if err == nil || !s.dialect.again(err) || !sleep(ctx, pause) {
			return err
		}
	}
}

// sleep reports whether the time passed before the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
