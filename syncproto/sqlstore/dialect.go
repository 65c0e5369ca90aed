package sqlstore

import (
	"database/sql"
	"fmt"
)

// Dialect says which database a store talks to.
type Dialect int

// The databases that a store can talk to.
const (
	// SQLite is the embedded default, 3.35 or newer.
	SQLite Dialect = iota + 1
	// PostgreSQL 12 or newer, through github.com/jackc/pgx/v5.
	PostgreSQL
	// MySQL 8 or MariaDB 10.5, or newer, through
	// github.com/go-sql-driver/mysql.
	MySQL
)

// String returns the name of the database.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case PostgreSQL:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
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
	// sees one moment. Neither is for SQLite.
	write, read *sql.TxOptions

	// begin, unless it is empty, is the statement that begins a transaction
	// that writes, instead of write.
	begin string

	// places is of how many bits the places of collections are, at most 31, or 0 if
	// they have none. With places a read is one statement, which is not for a
	// database that sends all that it asks for, read or not. See place.go.
	places int

	// oneWriter says that the database takes one writer at a time: see group.
	oneWriter bool

	// lockAccount says that a transaction has to lock the row of the account
	// that it writes for, because others may write at the same time.
	lockAccount bool

	// lockSchema keeps other servers from migrating until the transaction
	// ends, or unlockSchema, unless it is empty, is executed.
	lockSchema   func(*tx) error
	unlockSchema string

	// again reports whether a transaction failed for having met another one,
	// so that it may go through when it is repeated.
	again func(err error) bool
}

func dialectOf(d Dialect) (*dialect, error) {
	switch d {
	case SQLite:
		return sqliteDialect(), nil
	case PostgreSQL:
		return postgresDialect(), nil
	case MySQL:
		return mysqlDialect(), nil
	}
	return nil, fmt.Errorf("sqlstore: %v: want SQLite, PostgreSQL or MySQL", d)
}
