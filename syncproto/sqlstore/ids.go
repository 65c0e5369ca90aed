package sqlstore

import "github.com/brownout-go/brownout/syncproto"

// remember stores the ID of the write at c.Last. IDs are numbered, and once in
// [syncproto.IDsKept] writes those with older numbers than that many are thrown
// away: a collection never has more than twice as many, and few writes pay for
// it.
func (s *Store) remember(tx *tx, c *collection, id string) error {
	user, name := c.key.User, c.key.Collection
	if c.ids > 0 && c.ids%syncproto.IDsKept == 0 {
		if err := tx.exec(s.queries.forgetIDs, user, name, c.ids-syncproto.IDsKept); err != nil {
			return err
		}
	}
	c.ids++
	return tx.exec(s.queries.addID, user, name, []byte(id), c.ids, int64(c.Last))
}
