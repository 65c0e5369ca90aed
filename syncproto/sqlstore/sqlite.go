package sqlstore

import (
	"errors"
	"strings"

	"modernc.org/sqlite"
)

func sqliteDialect() *dialect {
	return &dialect{
		Dialect:       SQLite,
		migrations:    "migrations/sqlite",
		upsert:        onConflict,
		insertMissing: onConflictDoNothing,
		begin:         "BEGIN IMMEDIATE",
		places:        31,
		oneWriter:     true,
		lockSchema:    func(*tx) error { return nil }, // the transaction has the database
		again: func(err error) bool {
			const busy, locked = 5, 6 // SQLITE_BUSY, SQLITE_LOCKED
			var e *sqlite.Error
			return errors.As(err, &e) && (e.Code()&0xff == busy || e.Code()&0xff == locked)
		},
	}
}

// onConflict is the upsert of SQLite and PostgreSQL.
func onConflict(key, columns []string) string {
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = c + " = excluded." + c
	}
	return " ON CONFLICT (" + strings.Join(key, ", ") + ") DO UPDATE SET " + strings.Join(set, ", ")
}

func onConflictDoNothing(table, columns, values string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + values + ") ON CONFLICT DO NOTHING"
}
