package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// Connector returns the driver that a DSN names, ready to connect, and the
// dialect it speaks:
//
//	sqlite:appsync.db                       a file, relative to the working directory
//	sqlite:/var/lib/appsync.db              an absolute path
//	postgres://user:password@host/database  and what else the driver takes in a URL
//	mysql://user:password@host/database     MariaDB too
//	mysql:user@unix(/run/mysqld.sock)/db    the driver's own form
//
// A SQLite DSN may end with the parameters of modernc.org/sqlite, such as
// ?_pragma=synchronous(NORMAL). Unless it says otherwise, connections use the
// write-ahead log with synchronous(FULL) and keep half a megabyte of pages
// (cache_size(-512)), transactions are immediate, and nothing is written outside of
// the folder that the file is in (temp_store(MEMORY)). A file
// that is missing is made so that its owner alone can read it. There
// is no :memory: database here, since each connection would have its own:
// [syncproto.Memory] is the store for that.
//
// Wrap the connector to limit the statements of a database; see [DialConnector]
// for its connections.
func Connector(dsn string) (driver.Connector, Dialect, error) {
	return DialConnector(dsn, nil)
}

// DialConnector is like [Connector], with connections to the database's server
// made by dial: to limit their time, to count them, or to break them in a test.
// A nil dial is that of the driver. SQLite has no connections, and leaves dial
// alone.
func DialConnector(dsn string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (driver.Connector, Dialect, error) {
	scheme, rest, _ := strings.Cut(dsn, ":")
	switch scheme {
	case "sqlite":
		name, err := sqliteName(rest)
		if err != nil {
			return nil, 0, err
		}
		return sqliteConnector(name), SQLite, nil
	case "postgres", "postgresql":
		c, err := postgresConnector(dsn, dial)
		return c, PostgreSQL, err
	case "mysql":
		c, err := mysqlConnector(rest, dial)
		return c, MySQL, err
	}
	return nil, 0, fmt.Errorf("sqlstore: DSN begins with %q: want sqlite:FILE, postgres://HOST/DATABASE or mysql://HOST/DATABASE", scheme)
}

// sqliteName returns the file and its parameters as the driver wants them.
func sqliteName(rest string) (string, error) {
	path, query, _ := strings.Cut(rest, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("sqlstore: DSN: %w", err)
	}
	if path == "" || strings.Contains(path, ":memory:") || params.Get("mode") == "memory" {
		return "", fmt.Errorf("sqlstore: DSN %q: name a file; syncproto.Memory is the store without one", "sqlite:"+path)
	}
	path = strings.TrimPrefix(path, "//") // sqlite:///var/lib/appsync.db
	pragma := func(name, value string) {
		for _, p := range params["_pragma"] {
			if strings.HasPrefix(strings.ToLower(strings.TrimSpace(p)), name) {
				return
			}
		}
		params.Add("_pragma", name+"("+value+")")
	}
	pragma("journal_mode", "WAL")
	pragma("synchronous", "FULL")
	// What a busy database makes wait here does not listen to contexts; the
	// store itself waits longer.
	pragma("busy_timeout", "50")
	// What undoes a statement that changes many pages is otherwise in a file in
	// /var/tmp or /tmp, and writes fail where neither can be written to.
	pragma("temp_store", "MEMORY")
	// What is not here is copied from the system's cache, into memory that the
	// processor has at hand as long as it is little: with 2 MB, as SQLite has it by
	// default, polls and pushes of many users take longer, and those of few no less.
	pragma("cache_size", "-512")
	// A log that a long read let grow is cut when it is next used up.
	pragma("journal_size_limit", "67108864")
	if !params.Has("_txlock") {
		params.Set("_txlock", "immediate")
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + params.Encode(), nil
}

// sqliteConnector is the name of a database for the SQLite driver.
type sqliteConnector string

// Connect implements driver.Connector.
func (c sqliteConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.create()
	conn, err := c.Driver().Open(string(c))
	if err != nil {
		return nil, c.explain(err)
	}
	if d, ok := conn.(driverConn); ok {
		return &sqliteConn{d, make(map[string]*sqliteStmt)}, nil
	}
	return conn, nil
}

// create makes the file, if it is missing, so that nobody but its owner reads it:
// besides what people keep, the secret is in it that signs their sessions. SQLite
// gives the files beside it the same permissions. Whatever is in the way of it
// SQLite finds too.
func (c sqliteConnector) create() {
	path, params, err := c.split()
	if err != nil || params.Has("mode") && params.Get("mode") != "rwc" {
		return
	}
	if file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
		_ = file.Close()
	}
}

// explain returns what the system has against opening the file, for SQLite says
// "out of memory" of a folder that is not there and of one it may not write to.
func (c sqliteConnector) explain(err error) error {
	const cantOpen = 14 // SQLITE_CANTOPEN
	var e *sqlite.Error
	if !errors.As(err, &e) || e.Code()&0xff != cantOpen {
		return err
	}
	path, _, splitErr := c.split()
	if splitErr != nil {
		return err
	}
	// A file that is there is not opened for this: to close it again would end the
	// locks that other connections of the process have.
	flags := os.O_RDWR | os.O_CREATE | os.O_EXCL
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		flags = os.O_RDWR
	}
	file, reason := os.OpenFile(path, flags, 0o600)
	switch {
	case errors.Is(reason, fs.ErrExist):
		return fmt.Errorf("%s, or a file beside it, may not be read and written: %w", path, err)
	case reason != nil:
		return reason
	}
	_ = file.Close()
	return err
}

// split takes the name apart that sqliteName made.
func (c sqliteConnector) split() (path string, params url.Values, err error) {
	escaped, query, _ := strings.Cut(strings.TrimPrefix(string(c), "file:"), "?")
	if path, err = url.PathUnescape(escaped); err == nil {
		params, err = url.ParseQuery(query)
	}
	return path, params, err
}

// Driver implements driver.Connector.
func (c sqliteConnector) Driver() driver.Driver { return new(sqlite.Driver) }

// limit sets what Open's databases may keep open. With SQLite a connection is a
// file, a cache of half a megabyte and prepared statements: keeping them is cheap,
// making them is not.
// A database server has a limit for all its clients, a hundred or so by default.
func limit(db *sql.DB, d Dialect) {
	n := 24
	if d == SQLite {
		n = 64
	}
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(5 * time.Minute)
}
