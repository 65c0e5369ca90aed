package sqlstore

import (
	"strconv"

	"github.com/brownout-go/brownout/syncproto"
)

// placesVersion is the version of SQLite's tables in which collections have places.
const placesVersion = 2

const (
	// A page of those that move, in the order of their names and of their places.
	collectionsToMove = "SELECT 0, account, collection FROM sync_collections" +
		" WHERE (account, collection) >= (?, ?) ORDER BY account, collection LIMIT 100"
	addToMove = "INSERT INTO sync_moving (id, account, collection)" +
		" SELECT COALESCE(MAX(id) + 1, ?1), ?3, ?4 FROM sync_moving WHERE id BETWEEN ?1 AND ?2"
	moving         = "SELECT id, account, collection FROM sync_moving WHERE id >= ? ORDER BY id LIMIT 100"
	moveCollection = "INSERT INTO sync_rows (id, collection, written, doc, account, name, uuid, apps, bytes, ids)" +
		" SELECT ?1, ?1, last, deleted, account, collection, uuid, apps, bytes, ids FROM sync_collections WHERE account = ?2 AND collection = ?3"
)

// moveRecords puts each behind the one before and not before its second, as row
// does it.
var moveRecords = "INSERT INTO sync_rows (id, collection, origin, written, doc)" +
	" SELECT n.id, ?2, r.origin, r.written, r.doc FROM (" +
	"SELECT row, ?1 + i + MAX(second - i) OVER (ORDER BY i) AS id FROM (" +
	"SELECT rowid AS row, MAX(MIN(written / 100, " + strconv.Itoa(lastSecond) + "), ?3) AS second, ROW_NUMBER() OVER (ORDER BY written) AS i" +
	" FROM sync_records INDEXED BY sync_records_written WHERE account = ?4 AND collection = ?5)" +
	") n CROSS JOIN sync_records r ON r.rowid = n.row"

// move takes what is in the tables of version 1 to its places, one collection
// after the other, so that it needs no memory to speak of. They move in the order
// of their places, which leaves no gaps.
func (s *Store) move(tx *tx) error {
	if err := s.loadPlaceKey(tx); err != nil {
		return err
	}
	err := walk(tx, func(m mover) ([]any, error) {
		place := s.place(m.key)
		next := []any{m.key.User, m.key.Collection + "\x00"} // nothing is between them
		return next, tx.exec(addToMove, place+firstCollection, place+lastCollection, m.key.User, m.key.Collection)
	}, collectionsToMove, "", "")
	if err != nil {
		return err
	}
	err = walk(tx, func(m mover) ([]any, error) {
		place := m.id >> 32 << 32
		var last int64
		if _, err := tx.get([]any{&last}, s.queries.last, place+lastRecord); err != nil {
			return nil, err
		}
		if err := tx.exec(moveRecords, place, m.id, max(0, last-place+1), m.key.User, m.key.Collection); err != nil {
			return nil, err
		}
		return []any{m.id + 1}, tx.exec(moveCollection, m.id, m.key.User, m.key.Collection)
	}, moving, 0)
	if err != nil {
		return err
	}
	for _, table := range []string{"sync_moving", "sync_records", "sync_collections"} {
		if err := tx.exec("DROP TABLE " + table); err != nil {
			return err
		}
	}
	return nil
}

// mover is a collection that moves, and the id that it is going to have.
type mover struct {
	id  int64
	key syncproto.Key
}

// walk calls f for what a query finds, one page after the other: f says from where
// on the next one is. A page is read whole before f executes anything, for a driver
// may bound how long the rows of a query stay open, and how many queries there are.
func walk(tx *tx, f func(mover) (next []any, err error), query string, from ...any) error {
	for {
		page, err := movers(tx, query, from)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, m := range page {
			if from, err = f(m); err != nil {
				return err
			}
		}
	}
}

func movers(tx *tx, query string, from []any) (page []mover, err error) {
	rows, err := tx.sql.QueryContext(tx.during, query, from...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m mover
		if err := rows.Scan(&m.id, &m.key.User, &m.key.Collection); err != nil {
			return nil, err
		}
		page = append(page, m)
	}
	return page, rows.Err()
}
