package sqlstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/brownout-go/brownout/syncproto"
)

// Apply implements [syncproto.Replica].
func (s *Store) Apply(ctx context.Context, key syncproto.Key, ch syncproto.Change) error {
	ch.Records = slices.SortedStableFunc(slices.Values(ch.Records), func(a, b syncproto.Record) int { return cmp.Compare(a.Time, b.Time) })
	err := s.transact(ctx, 1+len(ch.Records), func(tx *tx) error {
		apps := make([]syncproto.App, len(ch.Records))
		for i, r := range ch.Records {
			apps[i] = r.App
		}
		c, err := s.open(tx, key, apps)
		if err != nil || ch.Last <= c.Last {
			return err
		}
		if ch.UUID != c.UUID || ch.Deleted != nil {
			if err := s.clear(tx, c); err != nil {
				return err
			}
			c.Last = 0
		}
		if err := s.count(tx, c, apps); err != nil {
			return err
		}
		err = s.put(tx, c, len(ch.Records), func(i int) syncproto.Record { return ch.Records[i] })
		if err != nil {
			return err
		}
		if len(apps) > 0 && ch.Records[0].Time <= c.Last { // not behind all that is there
			if err := s.renumber(tx, c); err != nil {
				return err
			}
		}
		c.State = ch.State
		return s.save(tx, c)
	})
	return wrap(ctx, "apply", err)
}
