package sqlstore

import (
	"context"
	"database/sql"

	"github.com/brownout-go/brownout/syncproto"
)

// remember stores the ID of the write at c.Last. IDs are numbered, and once in
// [syncproto.IDsKept] writes those with older numbers than that many are thrown
// away: a collection never has more than twice as many, and few writes pay for
// it.
func (s *Store) remember(ctx context.Context, tx *sql.Tx, c *collection, id string) error {
	user, name := c.key.User, c.key.Collection
	if c.ids > 0 && c.ids%syncproto.IDsKept == 0 {
		if _, err := tx.ExecContext(ctx, s.queries.forgetIDs, user, name, c.ids-syncproto.IDsKept); err != nil {
			return err
		}
	}
	c.ids++
	_, err := tx.ExecContext(ctx, s.queries.addID, user, name, []byte(id), c.ids, int64(c.Last))
	return err
}
