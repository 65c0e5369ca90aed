package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/brownout-go/brownout/syncproto"
)

// Store is a [syncproto.Store] in a SQL database. It may be used by many
// goroutines, and several stores, in one process or many, may share a database.
//
// Errors of the database are wrapped, so that errors.As finds the driver's; one
// that comes from the end of a context is that context's error to errors.Is.
type Store struct {
	db      *sql.DB
	owned   bool // Open made db
	dialect *dialect
	queries *queries
	group   *group // nil if the database takes many writers

	placeKey []byte // what places are hashed with, where there are some
}

var (
	_ syncproto.Replica   = (*Store)(nil)
	_ syncproto.Directory = (*Store)(nil)
)

// Open opens the database that the DSN names, as [Connector] does, and the
// store in it. Close closes both.
func Open(ctx context.Context, dsn string) (*Store, error) {
	connector, d, err := Connector(dsn)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	limit(db, d)
	s, err := New(ctx, db, d)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.owned = true
	return s, nil
}

// New opens the store in a database. It makes the tables if they are missing,
// or brings them up to date. The caller keeps the database, its limits on
// connections, and the duty to close it.
//
// A SQLite database is switched to its write-ahead log, for good. What else
// [Connector] sets is for the caller to set where the connections are not its own,
// such as temp_store(MEMORY) where there is no /tmp to write to. The store
// begins the transactions that write with BEGIN IMMEDIATE, whatever the DSN says,
// and ends them with COMMIT or ROLLBACK: a driver that is put in between sees
// statements, and no driver.Tx.
func New(ctx context.Context, db *sql.DB, d Dialect) (*Store, error) {
	dialect, err := dialectOf(d)
	if err != nil {
		return nil, err
	}
	return newStore(ctx, db, dialect)
}

func newStore(ctx context.Context, db *sql.DB, dialect *dialect) (*Store, error) {
	s := &Store{db: db, dialect: dialect, queries: newQueries(dialect)}
	if dialect.oneWriter {
		s.group = newGroup(s)
	}
	if err := s.migrate(ctx); err != nil {
		return nil, wrap(ctx, "open", err)
	}
	return s, nil
}

// Close closes the database if [Open] opened it, and waits until it is closed.
// Calls that are under way fail.
func (s *Store) Close() error {
	if !s.owned {
		return nil
	}
	return s.db.Close()
}

// Ping implements [syncproto.Store]: it reads a table.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.State(ctx, syncproto.Key{})
	return err
}

// State implements [syncproto.Store] with one query by primary key.
func (s *Store) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	st, err := s.scanState(s.db.QueryRowContext(ctx, s.queries.state, s.at(key)...))
	return st, wrap(ctx, "state", err)
}

func (s *Store) scanState(row *sql.Row) (syncproto.State, error) {
	var r stateRow
	if err := row.Scan(r.into()...); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return syncproto.State{}, err
	}
	return r.state()
}

// stateRow is a row that begins with uuid, last and deleted. Nothing scanned is
// the zero State.
type stateRow struct {
	uuid    string
	last    int64
	deleted []byte
}

func (r *stateRow) into(rest ...any) []any {
	return append([]any{&r.uuid, &r.last, &r.deleted}, rest...)
}

func (r *stateRow) state() (syncproto.State, error) {
	deleted, err := decodeDeletion(r.deleted)
	return syncproto.State{UUID: r.uuid, Last: syncproto.Time(r.last), Deleted: deleted}, err
}

// wrap names the operation that failed, and makes the error the context's if
// the context is why: drivers have errors of their own for that.
func wrap(ctx context.Context, op string, err error) error {
	if err == nil {
		return nil
	}
	if end := ctx.Err(); end != nil && !errors.Is(err, end) {
		return fmt.Errorf("sqlstore: %s: %w: %w", op, end, err)
	}
	return fmt.Errorf("sqlstore: %s: %w", op, err)
}
