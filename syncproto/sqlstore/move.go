package sqlstore

import (
	"strconv"

	"github.com/brownout-go/brownout/syncproto"
)

// placesVersion is the version of SQLite's tables in which collections have places.
const placesVersion = 2

const (
	collectionsToMove = "SELECT account, collection FROM sync_collections"
	addToMove         = "INSERT INTO sync_moving (id, account, collection)" +
		" SELECT COALESCE(MAX(id) + 1, ?1), ?3, ?4 FROM sync_moving WHERE id BETWEEN ?1 AND ?2"
	moving         = "SELECT id, account, collection FROM sync_moving ORDER BY id"
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
	var key syncproto.Key
	err := tx.each(func() error {
		place := s.place(key)
		return tx.exec(addToMove, place+firstCollection, place+lastCollection, key.User, key.Collection)
	}, []any{&key.User, &key.Collection}, collectionsToMove)
	if err != nil {
		return err
	}
	var id int64
	err = tx.each(func() error {
		place := id >> 32 << 32
		var last int64
		if _, err := tx.get([]any{&last}, s.queries.last, place+lastRecord); err != nil {
			return err
		}
		if err := tx.exec(moveRecords, place, id, max(0, last-place+1), key.User, key.Collection); err != nil {
			return err
		}
		return tx.exec(moveCollection, id, key.User, key.Collection)
	}, []any{&id, &key.User, &key.Collection}, moving)
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
