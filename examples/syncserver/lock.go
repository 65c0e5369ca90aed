package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// errOwned is of a SQLite file that servers would not use together.
var errOwned = errors.New("another syncserver uses the file; those that share one remember nothing: start each with -cache 0")

// own takes a SQLite file for this server before anything in it is looked at: it
// makes the file, which is then nobody else's to read, for the key that signs
// logins is in it, and keeps servers apart that can't share it, those that
// remember what is in it, each for itself, and any other. The lock is on a file
// beside the database, because closing that would end SQLite's own locks; the
// system lets go of it when the process ends, however it does.
func own(path string, alone bool) (*flock.Flock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	// One file, one lock, by whatever name it is called.
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return nil, err
	}
	l := flock.New(path + "-lock")
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
