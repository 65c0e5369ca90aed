package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

func mysqlDialect() *dialect {
	return &dialect{
		Dialect:    MySQL,
		migrations: "migrations/mysql",
		upsert: func(_, columns []string) string {
			set := make([]string, len(columns))
			for i, c := range columns {
				set[i] = c + " = VALUES(" + c + ")"
			}
			return " ON DUPLICATE KEY UPDATE " + strings.Join(set, ", ")
		},
		insertMissing: func(table, columns, values string) string {
			return "INSERT IGNORE INTO " + table + " (" + columns + ") VALUES (" + values + ")"
		},
		write:       &sql.TxOptions{Isolation: sql.LevelReadCommitted},
		read:        &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		lockAccount: true,
		lockSchema: func(t *tx) error {
			var got sql.NullInt64
			if _, err := t.get([]any{&got}, "SELECT GET_LOCK('sync_schema', 30)"); err != nil {
				return err
			}
			if got.Int64 != 1 {
				return errors.New("another server has been making tables for half a minute")
			}
			return nil
		},
		unlockSchema: "DO RELEASE_LOCK('sync_schema')", // it belongs to the connection
		again: func(err error) bool {
			const (
				changed     = 1020 // ER_CHECKREAD, of MariaDB's snapshot isolation
				lockTimeout = 1205 // ER_LOCK_WAIT_TIMEOUT
				deadlock    = 1213 // ER_LOCK_DEADLOCK
			)
			var e *mysql.MySQLError
			return errors.As(err, &e) && (e.Number == changed || e.Number == lockTimeout || e.Number == deadlock)
		},
	}
}

// mysqlConnector takes what follows "mysql:" in a DSN: a URL, or the driver's
// own form.
func mysqlConnector(rest string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (driver.Connector, error) {
	native, err := mysqlNative(rest)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: DSN: %w", err)
	}
	config, err := mysql.ParseDSN(native)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: DSN: %w", err)
	}
	config.DialFunc = dial
	// Otherwise each statement is prepared, run and closed: three round trips.
	config.InterpolateParams = true
	config.Logger = new(mysql.NopLogger) // what it would print comes back as an error
	// The driver's commit and rollback listen to no context. Without these a
	// server that has stopped answering would hold them for ever.
	if config.ReadTimeout == 0 {
		config.ReadTimeout = stopped
	}
	if config.WriteTimeout == 0 {
		config.WriteTimeout = stopped
	}
	return mysql.NewConnector(config)
}

// stopped is how long a MySQL server may be silent in the middle of a
// statement.
const stopped = 30 * time.Second

// mysqlNative turns //user:password@host:port/database?parameters into
// user:password@tcp(host:port)/database?parameters.
func mysqlNative(rest string) (string, error) {
	if !strings.HasPrefix(rest, "//") {
		return rest, nil
	}
	u, err := url.Parse("mysql:" + rest)
	if err != nil {
		var e *url.Error
		if errors.As(err, &e) {
			err = e.Err // the URL has a password in it
		}
		return "", err
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", err
	}
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", u.Host
	if u.Port() == "" {
		config.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	native := config.FormatDSN()
	if len(params) > 0 {
		sep := "?"
		if strings.Contains(native, "?") {
			sep = "&"
		}
		native += sep + params.Encode()
	}
	return native, nil
}
