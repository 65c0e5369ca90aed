package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/gofrs/flock"
)

// errOwned is of a SQLite file that servers would not use together.
var errOwned = errors.New("another syncserver uses the file; those that share one remember nothing: start each with -cache 0")

// lock keeps servers apart that can't share a SQLite file: one that remembers
// what is in it, for itself, and any other. The lock is on a file beside the
// database, because closing that would end SQLite's own locks; the system lets
// go of it when the process ends, however it does.
func lock(ctx context.Context, db *sql.DB, alone bool) (*flock.Flock, error) {
	var seq int
	var name, file string
	if err := db.QueryRowContext(ctx, "PRAGMA database_list").Scan(&seq, &name, &file); err != nil {
		return nil, err
	}
	l := flock.New(file + "-lock")
	try := l.TryRLock
	if alone {
		try = l.TryLock
	}
	ok, err := try()
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if !ok {
		return nil, errOwned
	}
	return l, nil
}
