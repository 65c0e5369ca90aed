package sqlstore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/brownout-go/brownout/syncproto"
)

// SQLite keeps a table in the order of its keys, in pages of a few kilobytes,
// and where there are many users each page is one that nobody has looked at for
// a while. So that what a request wants is in one or two of them, everything of a
// collection is together: it has a place, which is a hash of its name, and its
// row and its records are rows of one table with ids from place<<32 on.
//
// The records come first, each at place<<32 plus the second of its time, or behind
// the last one that is there. A record that is written again moves, so that what a
// client has not seen is one run of rows, in the order that it is to be sent in,
// and begins no sooner than the second of the time that the client has. The row of
// the collection follows, and the rows of others that happen to have the same
// place: what a write changes is together too, but for a record that it moves.
const (
	lastRecord      = firstCollection - 1 // the first is 0
	firstCollection = 1<<32 - 1<<16
	lastCollection  = 1<<32 - 1

	// lastSecond is in 2096. What comes later is behind it, in the order of its
	// times still.
	lastSecond = 4_000_000_000
)

// place returns the id at which the place of a collection begins. The hash is a
// secret of the file's, so that nobody can choose names that are in one place.
func (s *Store) place(key syncproto.Key) int64 {
	b := append(make([]byte, 0, 128), s.placeKey...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(key.User)))
	b = append(b, key.User...)
	b = append(b, key.Collection...)
	sum := sha256.Sum256(b)
	return int64(binary.BigEndian.Uint32(sum[:])>>(32-s.dialect.places)) << 32
}

// loadPlaceKey reads what places are hashed with.
func (s *Store) loadPlaceKey(tx *tx) error {
	found, err := tx.get([]any{&s.placeKey}, "SELECT key FROM sync_place")
	if err == nil && !found {
		err = errors.New("the key in the table sync_place is gone, and without it no collection is found: restore it from a copy of the file")
	}
	return err
}

// second is the first number in a place for a record of this time.
func second(t syncproto.Time) int64 {
	return max(min(int64(t)/100, lastSecond), 0)
}

// byPlace are the statements for such a table. See migrations/sqlite/0002.sql.
func (q *queries) byPlace(d *dialect) {
	const (
		rows = " FROM sync_rows NOT INDEXED"
		at   = " WHERE id BETWEEN ?1 AND ?2 AND account = ?3 AND name = ?4"
		// Told which index, or else after ANALYZE it reads the rows of everybody.
		byName   = " FROM sync_rows INDEXED BY sync_rows_by_name"
		byOrigin = " FROM sync_rows INDEXED BY sync_rows_by_origin"
	)
	q.state = "SELECT uuid, written, doc" + rows + at + " LIMIT 1"
	q.total = "SELECT COUNT(*), COALESCE(SUM(bytes), 0)" + byName + " WHERE account = ?"
	q.users = "SELECT DISTINCT account" + byName + " WHERE account > ? ORDER BY account LIMIT ?"
	q.collections = "SELECT uuid, written, doc, name, apps, bytes" + byName + " WHERE account = ? ORDER BY name"
	q.purge = []string{"DELETE" + byOrigin + " WHERE collection IN (SELECT id" + byName + " WHERE account = ?)"}

	// The last record of the place, or else of one before it, and what a write of one
	// app replaces.
	q.open = "SELECT uuid, written, doc, apps, bytes, ids, id, (SELECT COALESCE(MAX(id), -1)" + rows + " WHERE id <= ?5)" + rows + at + " LIMIT 1"
	q.openOne = "SELECT uuid, written, doc, apps, bytes, ids, id, (SELECT COALESCE(MAX(id), -1)" + rows + " WHERE id <= ?5)," +
		" (SELECT LENGTH(r.doc) FROM sync_rows r INDEXED BY sync_rows_by_origin WHERE r.collection = c.id AND r.origin = ?6)" +
		" FROM sync_rows c NOT INDEXED" + at + " LIMIT 1"
	q.last = "SELECT COALESCE(MAX(id), -1)" + rows + " WHERE id <= ?"
	q.free = "SELECT COALESCE(MAX(id) + 1, ?1), (SELECT COALESCE(MAX(id), -1)" + rows + " WHERE id < ?1)" + rows + " WHERE id BETWEEN ?1 AND ?2"
	q.create = "INSERT INTO sync_rows (uuid, written, doc, apps, bytes, ids, id, collection, account, name) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)"
	q.update = "UPDATE sync_rows SET uuid = ?, written = ?, doc = ?, apps = ?, bytes = ?, ids = ? WHERE id = ?"

	q.clear = "DELETE" + rows + " WHERE id BETWEEN ? AND ? AND collection = ?"
	q.replace = "UPDATE sync_rows SET written = ?, doc = ?, id = ? WHERE collection = ? AND origin = ?"
	for i, n := range batches {
		q.held[i] = "SELECT COUNT(*), COALESCE(SUM(LENGTH(doc)), 0)" + byOrigin + " WHERE collection = ? AND origin IN (" + list("?", n) + ")"
		q.put[i] = "INSERT INTO sync_rows (written, doc, id, collection, origin) VALUES " + list("(?, ?, ?, ?, ?)", n) +
			d.upsert([]string{"collection", "origin"}, []string{"written", "doc", "id"})
	}

	// The row of the collection, as one with the id -1, and the records after a time.
	// SQLite runs one part after the other and each in the order of ids: to ask for
	// it would have it sort the first. Who reads it checks.
	q.pull = "SELECT -1, uuid, written, doc" + rows + at +
		" UNION ALL SELECT id, origin, written, doc" + rows + " WHERE id BETWEEN ?5 AND ?6" +
		" AND collection = (SELECT id" + rows + at + ") AND written > ?7"

	// All records of a place in the order of their times, as near to their seconds
	// as can be, by way of ids that nobody has.
	q.lift = "UPDATE sync_rows SET id = -1 - id WHERE id BETWEEN ? AND ?"
	q.lower = fmt.Sprintf("UPDATE sync_rows SET id = ? + n.n"+
		" FROM (SELECT old, i + MAX(second - i) OVER (ORDER BY i) AS n"+
		" FROM (SELECT id AS old, MAX(MIN(written / 100, %d), 0) AS second, ROW_NUMBER() OVER (ORDER BY written, id DESC) AS i"+
		" FROM sync_rows WHERE id < 0)) AS n WHERE id = n.old", lastSecond)
}

// at are the arguments that find the row of a collection.
func (s *Store) at(key syncproto.Key) []any {
	args := make([]any, 0, 8)
	if s.dialect.places > 0 {
		place := s.place(key)
		args = append(args, place+firstCollection, place+lastCollection)
	}
	return append(args, key.User, key.Collection)
}

// settle gives a new collection its id.
func (s *Store) settle(tx *tx, c *collection) error {
	if s.dialect.places == 0 {
		return nil
	}
	_, err := tx.get([]any{&c.id, &c.last}, s.queries.free, c.place+firstCollection, c.place+lastCollection)
	if err == nil && c.id > c.place+lastCollection {
		err = errors.New("the place of this collection is taken by 65,536 others: give it another name")
	}
	return err
}

// makeRoom lets n records be added to the place, for which it renumbers those that
// are there where somebody has written a hundred times a second for most of a year.
func (s *Store) makeRoom(tx *tx, c *collection, n int) error {
	if c.last+int64(n) <= c.place+lastRecord {
		return nil
	}
	return s.renumber(tx, c)
}

func (s *Store) renumber(tx *tx, c *collection) error {
	if s.dialect.places == 0 {
		return nil
	}
	if err := tx.exec(s.queries.lift, c.place, c.place+lastRecord); err != nil {
		return err
	}
	if err := tx.exec(s.queries.lower, c.place); err != nil {
		return err
	}
	_, err := tx.get([]any{&c.last}, s.queries.last, c.place+lastRecord)
	return err
}

// row is what put says of a record, in the order of its columns.
func (c *collection) row(args []any, r syncproto.Record) []any {
	args = append(args, int64(r.Time), []byte(r.Doc))
	if c.placed {
		c.last = max(c.last+1, c.place+second(r.Time))
		args = append(args, c.last)
	}
	return append(c.of(args), r.Origin)
}

// of is what tells the records of a collection from all others.
func (c *collection) of(args []any) []any {
	if c.placed {
		return append(args, c.id)
	}
	return append(args, c.key.User, c.key.Collection)
}
