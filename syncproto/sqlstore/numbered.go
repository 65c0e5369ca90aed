package sqlstore

import (
	"errors"

	"github.com/brownout-go/brownout/syncproto"
)

// SQLite keeps a table in the order of its keys, in pages of a few kilobytes,
// and where there are many users each page is one that nobody has looked at for
// a while. So that a collection is in few of them, it has a number, and the
// number of a record begins with it: id = number<<32 + n. A write gives its
// records new ones, behind those of all writes before. What a client has not
// seen is then one run of rows, in the order that it is to be sent in.
const (
	maxNumber   = 1<<31 - 2 // so that the next one's id is an id too
	maxSequence = 1<<32 - 1
)

// byNumber are the statements for such tables. See migrations/sqlite/0002.sql.
func (q *queries) byNumber(d *dialect) {
	q.open = "SELECT uuid, last, deleted, apps, bytes, ids, sequence, number FROM sync_collections" + of
	q.openOne = "SELECT uuid, last, deleted, apps, bytes, ids, sequence, number, (SELECT LENGTH(r.doc) FROM sync_records r" +
		" WHERE r.number = c.number AND r.origin = ?) FROM sync_collections c" + of
	q.create = "INSERT INTO sync_collections (uuid, last, deleted, apps, bytes, ids, sequence, number, account, collection) VALUES (" + list("?", 10) + ")"
	q.update = "UPDATE sync_collections SET uuid = ?, last = ?, deleted = ?, apps = ?, bytes = ?, ids = ?, sequence = ?" + of
	q.nextNumber = "SELECT COALESCE(MAX(number), 0) + 1 FROM sync_collections"

	q.clear = "DELETE FROM sync_records WHERE number = ?"
	q.replace = "UPDATE sync_records SET written = ?, doc = ?, id = ? WHERE number = ? AND origin = ?"
	// Told which index, or else after ANALYZE it reads the table of everybody.
	q.purge = append(q.purge, "DELETE FROM sync_records INDEXED BY sync_records_since WHERE number IN (SELECT number FROM sync_collections WHERE account = ?)")
	for i, n := range batches {
		q.held[i] = "SELECT COUNT(*), COALESCE(SUM(LENGTH(doc)), 0) FROM sync_records WHERE number = ?" +
			" AND origin IN (" + list("?", n) + ")"
		q.put[i] = "INSERT INTO sync_records (written, doc, id, number, origin) VALUES " + list("(?, ?, ?, ?, ?)", n) +
			d.upsert([]string{"number", "origin"}, []string{"written", "doc", "id"})
	}

	// The state, as a row with the id 0, and the records after a time, which is
	// looked up unless all are wanted.
	q.pull = "SELECT 0, uuid, last, deleted FROM sync_collections" + of +
		" UNION ALL SELECT r.id, r.origin, r.written, r.doc FROM sync_collections c CROSS JOIN sync_records r ON r.id < (c.number + 1) << 32" +
		" AND r.id >= CASE ? WHEN 0 THEN c.number << 32 ELSE" +
		" (SELECT id FROM sync_records n WHERE n.number = c.number AND n.written > ? ORDER BY n.written, n.id LIMIT 1) END" +
		of + " ORDER BY 1"

	// Numbers anew, from 1 and in the order of times, by way of some that nobody has.
	q.lift = "UPDATE sync_records SET id = -id WHERE number = ?"
	q.settle = "UPDATE sync_records SET id = (number << 32) + n.n" +
		" FROM (SELECT id AS old, ROW_NUMBER() OVER (ORDER BY written, id DESC) AS n FROM sync_records WHERE number = ?) n WHERE id = n.old"
}

// number gives a new collection its number.
func (s *Store) number(tx *tx, c *collection) error {
	if s.queries.nextNumber == "" {
		return nil
	}
	if _, err := tx.get([]any{&c.number}, s.queries.nextNumber); err != nil {
		return err
	}
	if c.number > maxNumber {
		return errors.New("two thousand million collections have been made in this file, and it takes no more: use PostgreSQL or MySQL")
	}
	return nil
}

// makeRoom lets n records be numbered, for which it renumbers the others once in
// four thousand million.
func (s *Store) makeRoom(tx *tx, c *collection, n int) error {
	if c.sequence+int64(n) <= maxSequence {
		return nil
	}
	return s.renumber(tx, c)
}

func (s *Store) renumber(tx *tx, c *collection) error {
	if s.queries.lift == "" {
		return nil
	}
	for _, query := range []string{s.queries.lift, s.queries.settle} {
		if err := tx.exec(query, c.number); err != nil {
			return err
		}
	}
	c.sequence = int64(c.apps) // at least as many as there are
	return nil
}

// row is what put says of a record, in the order of its columns.
func (c *collection) row(args []any, r syncproto.Record) []any {
	args = append(args, int64(r.Time), []byte(r.Doc))
	if c.number > 0 {
		c.sequence++
		args = append(args, c.number<<32+c.sequence)
	}
	return append(c.place(args), r.Origin)
}

// place is what tells the records of a collection from all others.
func (c *collection) place(args []any) []any {
	if c.number > 0 {
		return append(args, c.number)
	}
	return append(args, c.key.User, c.key.Collection)
}
