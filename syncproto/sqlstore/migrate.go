package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Migrations are numbered from 0001. One that was released is never changed.
//
//go:embed migrations
var migrations embed.FS

// migrate brings the tables to the newest version, in one transaction where the
// database can.
func (s *Store) migrate(ctx context.Context) error {
	steps, err := loadMigrations(s.dialect.migrations)
	if err != nil {
		return err
	}
	if s.dialect.Dialect == SQLite {
		// Kept in the file. It can't be set inside a transaction.
		if err := s.insist(ctx, func() error {
			var mode string
			return s.db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode)
		}); err != nil {
			return err
		}
	}
	return s.transact(ctx, maxGroup, func(tx *tx) (err error) {
		if err := s.dialect.lockSchema(tx); err != nil {
			return err
		}
		if unlock := s.dialect.unlockSchema; unlock != "" {
			defer func() {
				if failed := tx.exec(unlock); err == nil {
					err = failed
				}
			}()
		}
		if err := tx.exec("CREATE TABLE IF NOT EXISTS sync_version (version INTEGER NOT NULL)"); err != nil {
			return err
		}
		var have int
		found, err := tx.get([]any{&have}, "SELECT version FROM sync_version")
		if err == nil && !found {
			err = tx.exec("INSERT INTO sync_version (version) VALUES (0)")
		}
		if err != nil {
			return err
		}
		if have > len(steps) {
			return fmt.Errorf("the tables have version %d, this program knows %d: use a newer one", have, len(steps))
		}
		for i, step := range steps[have:] {
			for statement := range strings.SplitSeq(step, ";\n") {
				if strings.TrimSpace(statement) == "" {
					continue
				}
				if err := tx.exec(statement); err != nil {
					return fmt.Errorf("migration: %w in %s", err, statement)
				}
			}
			if s.dialect.places > 0 && have+i+1 == placesVersion {
				if err := s.move(tx); err != nil {
					return fmt.Errorf("migration: %w", err)
				}
			}
		}
		if s.dialect.places > 0 {
			if err := s.loadPlaceKey(tx); err != nil {
				return err
			}
			if err := forgetSmall(tx); err != nil {
				return err
			}
		}
		return tx.exec("UPDATE sync_version SET version = " + strconv.Itoa(len(steps)))
	})
}

// loadMigrations returns the steps in order.
func loadMigrations(dir string) ([]string, error) {
	files, err := fs.ReadDir(migrations, dir)
	if err != nil {
		return nil, err
	}
	var steps []string
	for i, f := range files {
		if want := fmt.Sprintf("%04d.sql", i+1); f.Name() != want {
			return nil, fmt.Errorf("migration %s: want %s", f.Name(), want)
		}
		text, err := fs.ReadFile(migrations, path.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		steps = append(steps, string(text))
	}
	return steps, nil
}
