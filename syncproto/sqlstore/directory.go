package sqlstore

import (
	"context"
	"database/sql"

	"github.com/brownout-go/brownout/syncproto"
)

// Users implements [syncproto.Directory].
func (s *Store) Users(ctx context.Context, after string, limit int) ([]string, error) {
	var users []string
	err := s.rows(ctx, s.queries.users, []any{after, max(0, limit)}, func(rows *sql.Rows) error {
		var user string
		err := rows.Scan(&user)
		users = append(users, user)
		return err
	})
	return users, wrap(ctx, "users", err)
}

// Collections implements [syncproto.Directory].
func (s *Store) Collections(ctx context.Context, user string) ([]syncproto.Usage, error) {
	var all []syncproto.Usage
	err := s.rows(ctx, s.queries.collections, []any{user}, func(rows *sql.Rows) error {
		var u syncproto.Usage
		var row stateRow
		err := rows.Scan(row.into(&u.Collection, &u.Apps, &u.Bytes)...)
		if err == nil {
			u.State, err = row.state()
		}
		all = append(all, u)
		return err
	})
	return all, wrap(ctx, "collections", err)
}

// Purge implements [syncproto.Directory].
func (s *Store) Purge(ctx context.Context, user string) error {
	err := s.transact(ctx, maxGroup, func(tx *tx) error {
		if err := s.lock(tx, user); err != nil {
			return err
		}
		for _, q := range s.queries.purge {
			if err := tx.exec(q, user); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(ctx, "purge", err)
}

// rows calls each for every row of a query.
func (s *Store) rows(ctx context.Context, query string, args []any, each func(*sql.Rows) error) error {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
