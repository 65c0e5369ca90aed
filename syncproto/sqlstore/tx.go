package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"
)

// patience is how long a transaction is repeated when the context sets no
// bound.
const patience = 30 * time.Second

// tx is a transaction that writes, as one piece of work sees it.
type tx struct {
	sql statements
	// ctx ends the work, between two statements if not during one.
	ctx context.Context
	// during ends a statement. It is not ctx where that could undo what others
	// did in the same transaction.
	during context.Context
}

// statements is what a [sql.Tx] and a [sql.Conn] have in common.
type statements interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (t *tx) exec(query string, args ...any) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	_, err := t.sql.ExecContext(t.during, query, args...)
	return err
}

// get scans the one row of a query and reports whether there is one.
func (t *tx) get(into []any, query string, args ...any) (bool, error) {
	if err := t.ctx.Err(); err != nil {
		return false, err
	}
	err := t.sql.QueryRowContext(t.during, query, args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// transact runs f in a transaction that writes, from the beginning again when
// another one got in its way, until the context ends. It returns the error of f
// as it is. Before f returns a [refusal] it must not have written anything. Rows
// is about how many rows f writes.
func (s *Store) transact(ctx context.Context, rows int, f func(*tx) error) error {
	if s.group != nil {
		return s.group.do(ctx, rows, f)
	}
	err := s.insist(ctx, func() error { return s.once(ctx, ctx, f) })
	var r refusal
	if errors.As(err, &r) {
		return r.error
	}
	return err
}

// refusal is an error after which a piece of work has left nothing behind, so
// that what others did in its transaction can be committed.
type refusal struct{ error }

func (r refusal) Unwrap() error { return r.error }

// once runs f in a transaction. Its statements end with during, and f between
// them with ctx.
func (s *Store) once(ctx, during context.Context, f func(*tx) error) error {
	if s.dialect.begin != "" {
		return s.byStatements(ctx, during, f)
	}
	t, err := s.db.BeginTx(during, s.dialect.write)
	if err != nil {
		return err
	}
	defer t.Rollback() // does nothing after a commit
	if err := f(&tx{t, ctx, during}); err != nil {
		return err
	}
	return t.Commit()
}

// byStatements is once with the transaction begun and ended by statements of its
// own. A sql.Tx starts a goroutine for itself and one for each query, which costs
// SQLite a sixth of a short transaction; and it is over when its commit fails,
// which SQLite's need not be.
func (s *Store) byStatements(ctx, during context.Context, f func(*tx) error) error {
	conn, err := s.db.Conn(during)
	if err != nil {
		return err
	}
	defer conn.Close()
	giveUp := func() { _ = conn.Raw(func(any) error { return driver.ErrBadConn }) } // not to be used again
	if _, err := conn.ExecContext(during, s.dialect.begin); err != nil {
		if !s.dialect.again(err) {
			giveUp() // it may have begun
		}
		return err
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		if _, err := conn.ExecContext(context.WithoutCancel(during), "ROLLBACK"); err != nil {
			giveUp()
		}
	}()
	if err := f(&tx{conn, ctx, during}); err != nil {
		return err
	}
	_, err = conn.ExecContext(during, "COMMIT")
	committed = err == nil
	return err
}

// insist repeats f while it fails for having met another transaction.
func (s *Store) insist(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for pause := time.Millisecond; ; pause = longer(pause) {
		err := f()
		if err == nil || !s.dialect.again(err) || !sleep(ctx, pause) {
			return err
		}
	}
}

func longer(pause time.Duration) time.Duration { return min(2*pause, 64*time.Millisecond) }

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
