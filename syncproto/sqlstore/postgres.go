package sqlstore

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

func postgresDialect() *dialect {
	return &dialect{
		Dialect:       PostgreSQL,
		migrations:    "migrations/postgres",
		dollars:       true,
		upsert:        onConflict,
		insertMissing: onConflictDoNothing,
		// Each statement sees what was committed before it began, and so, after
		// the lock on the account, all that other writers did.
		write:       &sql.TxOptions{Isolation: sql.LevelReadCommitted},
		read:        &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		lockAccount: true,
		lockSchema: func(t *tx) error {
			// Released when the transaction ends. The number is random, so that
			// nobody else uses it.
			return t.exec("SELECT pg_advisory_xact_lock(3810937262881563)")
		},
		again: func(err error) bool {
			// serialization_failure, deadlock_detected. The first comes from
			// databases that speak PostgreSQL and serialize everything.
			var e *pgconn.PgError
			return errors.As(err, &e) && (e.Code == "40001" || e.Code == "40P01")
		},
	}
}

// postgresConnector takes the whole DSN: it is the driver's own.
func postgresConnector(dsn string, dial pgconn.DialFunc) (driver.Connector, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: DSN: %w", err)
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "appsync"
	}
	if dial != nil {
		config.DialFunc = dial
	}
	return stdlib.GetConnector(*config), nil
}
