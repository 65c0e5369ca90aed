// Package sqlstore keeps App Sync collections in a SQL database, behind
// database/sql.
//
//	store, err := sqlstore.Open(ctx, "sqlite:appsync.db")
//
// SQLite, the embedded default, needs no server and no cgo. Whoever has a
// *sql.DB already, or wants to put something in front of the driver, opens the
// store with [New]; [Connector] gives the driver to wrap:
//
//	connector, dialect, err := sqlstore.Connector("sqlite:appsync.db")
//	db := sql.OpenDB(guard.Connector(connector)) // such as a timeout.Backend
//	store, err := sqlstore.New(ctx, db, dialect)
//
// # What an acknowledged write survives
//
// A write happens whole or not at all, and is acknowledged once the database has
// committed it. SQLite takes one writer at a time, so writes that arrive while
// another is being committed share the next transaction: many clients together
// pay for one flush of the disk. With SQLite as Open sets it up (write-ahead log, synchronous
// FULL) a commit is on disk before it returns: it survives the end of the
// process, kill -9 included, the end of the system, and loss of power as far as
// the disk keeps its word about flushing. The DSN can ask for
// synchronous(NORMAL), which saves the flush of every write. Nothing is lost
// then when the process dies, but loss of power may undo the last
// acknowledged writes, and clients whose next since is later than the times that
// come back miss what is written at those times.
//
// # Times
//
// The time of a write comes from the clock of the server that runs the
// transaction and from the last time of the collection, which is in the
// database. Servers that share a database need clocks that agree to about a
// second, as any NTP gives; where they don't, times still increase.
//
// # Tables
//
// All tables begin with sync_ and are made, and brought up to date, when the
// store is opened. Every row says whose it is in its column account, which
// comes first in every key: see the migrations folder.
package sqlstore
