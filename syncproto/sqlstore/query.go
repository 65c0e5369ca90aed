package sqlstore

import (
	"strconv"
	"strings"
)

// batches are how many rows one statement takes, largest first. A few fixed
// sizes keep the number of different statements small, for drivers and servers
// that remember them.
var batches = [...]int{100, 10, 1}

// queries are the statements of a store, written for its database.
type queries struct {
	findID, addID        string
	forgetIDs            string
	purge                []string
	lock, createAccount  string
	secret, createSecret string

	// Those about records, and what they need to know of their collection: see
	// byAccount and byPlace.
	state              string
	users, collections string
	total              string
	open, openOne      string
	create, update     string
	clear, replace     string
	held, put          [len(batches)]string
	cutoff, more, page string // of a read in several statements
	pull               string // of a read in one
	free, last         string // ids in a place
	lift, lower        string
}

const of = " WHERE account = ? AND collection = ?"

func newQueries(d *dialect) *queries {
	q := &queries{
		findID:    "SELECT written FROM sync_writes" + of + " AND id = ?",
		addID:     "INSERT INTO sync_writes (account, collection, id, number, written) VALUES (?, ?, ?, ?, ?)",
		forgetIDs: "DELETE FROM sync_writes" + of + " AND number <= ?",

		secret:       "SELECT value FROM sync_secrets WHERE name = ?",
		createSecret: d.insertMissing("sync_secrets", "name, value", "?, ?"),
	}
	if d.places > 0 {
		q.byPlace(d)
	} else {
		q.byAccount(d)
	}
	q.purge = append(q.purge, "DELETE FROM sync_writes WHERE account = ?")
	if d.lockAccount {
		q.lock = "SELECT 1 FROM sync_accounts WHERE account = ? FOR UPDATE"
		q.createAccount = d.insertMissing("sync_accounts", "account", "?")
		q.purge = append(q.purge, "DELETE FROM sync_accounts WHERE account = ?")
	}
	if d.dollars {
		q.each(func(s *string) { *s = dollars(*s) })
	}
	return q
}

// byAccount are the statements for tables in which a record names its user and
// collection, so that an engine can spread them.
func (q *queries) byAccount(d *dialect) {
	q.state = "SELECT uuid, last, deleted FROM sync_collections" + of
	q.total = "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM sync_collections WHERE account = ?"
	q.users = "SELECT DISTINCT account FROM sync_collections WHERE account > ? ORDER BY account LIMIT ?"
	q.collections = "SELECT uuid, last, deleted, collection, apps, bytes FROM sync_collections WHERE account = ? ORDER BY collection"
	q.purge = []string{"DELETE FROM sync_records WHERE account = ?", "DELETE FROM sync_collections WHERE account = ?"}

	q.open = "SELECT uuid, last, deleted, apps, bytes, ids FROM sync_collections" + of
	q.openOne = "SELECT uuid, last, deleted, apps, bytes, ids, (SELECT LENGTH(r.doc) FROM sync_records r" +
		" WHERE r.account = c.account AND r.collection = c.collection AND r.origin = ?) FROM sync_collections c" + of
	q.create = "INSERT INTO sync_collections (uuid, last, deleted, apps, bytes, ids, account, collection) VALUES (" + list("?", 8) + ")"
	q.update = "UPDATE sync_collections SET uuid = ?, last = ?, deleted = ?, apps = ?, bytes = ?, ids = ?" + of

	q.clear = "DELETE FROM sync_records" + of
	q.replace = "UPDATE sync_records SET written = ?, doc = ?" + of + " AND origin = ?"
	for i, n := range batches {
		q.held[i] = "SELECT COUNT(*), COALESCE(SUM(LENGTH(doc)), 0) FROM sync_records" + of +
			" AND origin IN (" + list("?", n) + ")"
		q.put[i] = "INSERT INTO sync_records (written, doc, account, collection, origin) VALUES " + list("(?, ?, ?, ?, ?)", n) +
			d.upsert([]string{"account", "collection", "origin"}, []string{"written", "doc"})
	}

	// The time of the last record of a page, so that a write is not cut.
	q.cutoff = "SELECT written FROM sync_records" + of + " AND written > ? ORDER BY written LIMIT 1 OFFSET ?"
	q.more = "SELECT 1 FROM sync_records" + of + " AND written > ? LIMIT 1"
	q.page = "SELECT origin, written, doc FROM sync_records" + of + " AND written > ? AND written <= ? ORDER BY written"
}

// each calls f with every statement.
func (q *queries) each(f func(*string)) {
	all := []*string{
		&q.state, &q.findID, &q.addID, &q.forgetIDs, &q.total, &q.users, &q.collections, &q.lock, &q.createAccount, &q.secret, &q.createSecret,
		&q.open, &q.openOne, &q.create, &q.update, &q.clear, &q.replace, &q.cutoff, &q.more, &q.page, &q.pull, &q.free, &q.last, &q.lift, &q.lower,
	}
	for i := range q.held {
		all = append(all, &q.held[i], &q.put[i])
	}
	for i := range q.purge {
		all = append(all, &q.purge[i])
	}
	for _, s := range all {
		if *s != "" {
			f(s)
		}
	}
}

func list(item string, n int) string {
	return strings.Repeat(item+", ", n-1) + item
}

// dollars turns each ? into $1, $2 and so on. No statement here has a ? that
// is not a placeholder.
func dollars(query string) string {
	var b strings.Builder
	n := 0
	for _, r := range query {
		if r == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// inBatches calls f for consecutive pieces of n rows, with the index of the
// statement that takes each.
func inBatches(n int, f func(batch, from, to int) error) error {
	for from := 0; from < n; {
		for i, size := range batches {
			if from+size <= n {
				if err := f(i, from, from+size); err != nil {
					return err
				}
				from += size
				break
			}
		}
	}
	return nil
}
