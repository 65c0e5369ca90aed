package sqlstore

import (
	"database/sql"
	"fmt"
)

// Dialect says which database a store talks to.
type Dialect int

// The databases that a store can talk to.
const (
	// SQLite 3.35 or newer.
	SQLite Dialect = iota + 1
)

// String returns the name of the database.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// dialect is where databases differ.
type dialect struct {
	Dialect
	migrations string // folder of migrations

	// dollars numbers the placeholders, $1 and on.
	dollars bool
	// upsert ends an INSERT that replaces the columns of a row with the same
	// key.
	upsert func(key []string, columns []string) string
	// insertMissing is an INSERT that does nothing if the key is there.
	insertMissing func(table, columns, values string) string

	// write are the options of a transaction that writes, read of one that
	// sees one moment.
	write, read *sql.TxOptions

	// oneWriter says that the database takes one writer at a time: see group.
	oneWriter bool

	// lockSchema keeps other servers from migrating until the transaction
	// ends.
	lockSchema func(*tx) error

	// again reports whether a transaction failed for having met another one,
	// so that it may go through when it is repeated.
	again func(err error) bool
}

func dialectOf(d Dialect) (*dialect, error) {
	switch d {
	case SQLite:
		return sqliteDialect(), nil
	}
	return nil, fmt.Errorf("sqlstore: %v: want SQLite", d)
}
