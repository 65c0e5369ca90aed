package sqlstore

import (
	"context"
	"crypto/rand"
)

// Secret returns 32 random bytes that are made at the first call and kept in
// the database: a key to sign sessions with, the same after a restart and in
// every server that shares the database. Whoever can read the database can sign
// sessions.
func (s *Store) Secret(ctx context.Context) ([]byte, error) {
	const name = "sessions"
	var secret []byte
	err := s.transact(ctx, 1, func(tx *tx) error {
		fresh := make([]byte, 32)
		rand.Read(fresh) // never fails
		if err := tx.exec(s.queries.createSecret, name, fresh); err != nil {
			return err
		}
		_, err := tx.get([]any{&secret}, s.queries.secret, name)
		return err
	})
	return secret, wrap(ctx, "secret", err)
}
