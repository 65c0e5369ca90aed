// Package sqlstore keeps App Sync collections in a SQL database, behind
// database/sql.
//
//	store, err := sqlstore.Open(ctx, "sqlite:appsync.db")
//
// SQLite, the embedded default, needs no server and no cgo; PostgreSQL, MySQL and
// MariaDB are for several servers that share a database. Whoever has a
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
// PostgreSQL and MySQL flush every commit unless they are told not to
// (synchronous_commit, innodb_flush_log_at_trx_commit); a failover to a replica
// that lags is like a loss of power. Run MariaDB with log_bin and sync_binlog=1, as
// MySQL 8 does by default: without a binary log InnoDB shows a commit to readers
// before it is on disk, and a crash may undo what somebody has seen (though
// nothing that was acknowledged). Writes of one user take turns there, on a
// row that stands for the account, and those of different users don't wait for
// each other.
//
// # Times
//
// The time of a write comes from the clock of the server that runs the
// transaction and from the last time of the collection, which is in the
// database. Servers that share a database need clocks that agree to about a
// second, as any NTP gives; where they don't, times still increase.
//
// # Many users
//
// Nothing is searched: every statement goes to what it needs by key, whoever
// else is there. What many users cost is memory that is cold. Everybody has
// pages of their own in SQLite's trees, and those of few users stay in the cache
// of a connection and in the processor's, while those of many are copied from the
// system's page cache, at about two microseconds each.
// So SQLite keeps everything of a collection side by side in one table, its
// records in the order in which they were written and then its state: beside a
// million users a poll reads two of those pages, and a pull of five apps three. A
// cache_size larger than the half a megabyte that Open sets saves copies of the
// pages that lead there, and costs more time than that, for it is cold memory too;
// it gains where few users have much, a tenth of a pull of a thousand apps.
//
// SQLite needs no ANALYZE or PRAGMA optimize for this, and one is harmless but
// while sync_rows has at most two rows: as small as it was found to be it is then
// searched from end to end, however large it grows, until the store is opened
// again, which forgets what was found.
//
// A DSN that ends with ?_pragma=mmap_size(N), N in bytes and at most 2 GB, has
// SQLite read the first N of the file in place, which takes a third of this
// away. Open leaves it off: a disk that hangs stops a thread then that Go
// believes to be running, and in time the whole process, where otherwise other
// requests go on and this one is answered when its time is up; and a disk that
// fails to read ends the process, by a signal.
//
// # Tables
//
// All tables begin with sync_ and are made, and brought up to date, when the
// store is opened; servers that start together take turns. The migrations
// folder has the definitions. Views and queries of your own may read them; what
// else is hung on them, such as a trigger or a foreign key, may go, with what it
// cascades to, when one is written anew.
//
// In SQLite's sync_rows a row with an account is a collection, and one with an
// origin a record of the collection whose id it names. Their ids begin with a hash
// of the collection's name and a key, which is in sync_place: a copy of the file
// has to have both. The sqlite3 program's .dump and VACUUM INTO see to it.
//
// A migration happens whole or not at all. One that writes a table anew, as the
// second of SQLite does, needs twice the room of the file besides, once in the
// log, and two to three minutes for a million users; what it leaves free in the
// file is used again, or given back by VACUUM. Who waits for it for longer than
// half a minute fails to open, and may try again. A server of the older version
// that is still running fails then, whatever it is asked; it never answers wrongly.
//
// # Past one database
//
// There is no sharding here, because there are engines for it; what is here is
// a schema that they can spread. SQLite's, which nothing spreads, is another.
// Every table that holds what is a user's has the user in its column account,
// first in its primary key and in every index.
// Every statement but one names exactly one account, and no transaction touches
// two, so each runs on the machine that has the account. There are no foreign
// keys, sequences, triggers or generated columns. The exception is
// [Store.Users], which walks over everybody. What remains, sync_secrets and
// sync_version, has a row or two.
//
//   - Citus: distribute sync_accounts, sync_collections, sync_records and
//     sync_writes by account, colocated; make the other two reference tables.
//   - CockroachDB: its ranges split by primary key, and so by account. It runs
//     transactions as serializable unless told otherwise, and what fails for
//     that (SQLSTATE 40001) is repeated here.
//   - Vitess: a keyspace with a vindex on account for those four tables, an
//     unsharded one for the others; make the tables with its own tools first.
//
// The tests run PostgreSQL and MariaDB, each with one and with two servers on
// it; these engines they do not run.
package sqlstore
