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
	state, open, openOne string
	cutoff, more, page   string
	pull                 string
	findID, addID        string
	forgetIDs            string
	total                string
	create, update       string
	clear, replace       string
	held, put            [len(batches)]string
	users, collections   string
	purge                []string
	lock, createAccount  string
	secret, createSecret string
}

func newQueries(d *dialect) *queries {
	const of = " WHERE account = ? AND collection = ?"
	q := &queries{
		state: "SELECT uuid, last, deleted FROM sync_collections" + of,
		open:  "SELECT uuid, last, deleted, apps, bytes, ids FROM sync_collections" + of,
		openOne: "SELECT uuid, last, deleted, apps, bytes, ids, (SELECT LENGTH(r.doc) FROM sync_records r" +
			" WHERE r.account = c.account AND r.collection = c.collection AND r.origin = ?) FROM sync_collections c" + of,

		// The time of the last record of a page, so that a write is not cut.
		cutoff: "SELECT written FROM sync_records" + of + " AND written > ? ORDER BY written LIMIT 1 OFFSET ?",
		more:   "SELECT 1 FROM sync_records" + of + " AND written > ? LIMIT 1",
		page:   "SELECT origin, written, doc FROM sync_records" + of + " AND written > ? AND written <= ? ORDER BY written",

		findID:    "SELECT written FROM sync_writes" + of + " AND id = ?",
		addID:     "INSERT INTO sync_writes (account, collection, id, number, written) VALUES (?, ?, ?, ?, ?)",
		forgetIDs: "DELETE FROM sync_writes" + of + " AND number <= ?",

		total: "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM sync_collections WHERE account = ?",

		create:  "INSERT INTO sync_collections (uuid, last, deleted, apps, bytes, ids, account, collection) VALUES (" + list("?", 8) + ")",
		update:  "UPDATE sync_collections SET uuid = ?, last = ?, deleted = ?, apps = ?, bytes = ?, ids = ?" + of,
		clear:   "DELETE FROM sync_records" + of,
		replace: "UPDATE sync_records SET written = ?, doc = ?" + of + " AND origin = ?",

		users:       "SELECT DISTINCT account FROM sync_collections WHERE account > ? ORDER BY account LIMIT ?",
		collections: "SELECT uuid, last, deleted, collection, apps, bytes FROM sync_collections WHERE account = ? ORDER BY collection",
		purge: []string{
			"DELETE FROM sync_records WHERE account = ?",
			"DELETE FROM sync_writes WHERE account = ?",
			"DELETE FROM sync_collections WHERE account = ?",
		},

		secret:       "SELECT value FROM sync_secrets WHERE name = ?",
		createSecret: d.insertMissing("sync_secrets", "name, value", "?, ?"),
	}
	if d.lazyRows {
		// The state and the records at once: first a row without a time.
		q.pull = "SELECT uuid, NULL, deleted, last FROM sync_collections" + of +
			" UNION ALL SELECT origin, written, doc, NULL FROM sync_records" + of + " AND written > ? ORDER BY 2"
	}
	if d.lockAccount {
		q.lock = "SELECT 1 FROM sync_accounts WHERE account = ? FOR UPDATE"
		q.createAccount = d.insertMissing("sync_accounts", "account", "?")
		q.purge = append(q.purge, "DELETE FROM sync_accounts WHERE account = ?")
	}
	for i, n := range batches {
		q.held[i] = "SELECT COUNT(*), COALESCE(SUM(LENGTH(doc)), 0) FROM sync_records" + of +
			" AND origin IN (" + list("?", n) + ")"
		q.put[i] = "INSERT INTO sync_records (account, collection, origin, written, doc) VALUES " + list("(?, ?, ?, ?, ?)", n) +
			d.upsert([]string{"account", "collection", "origin"}, []string{"written", "doc"})
	}
	if d.dollars {
		q.each(func(s *string) { *s = dollars(*s) })
	}
	return q
}

// each calls f with every statement.
func (q *queries) each(f func(*string)) {
	all := []*string{
		&q.state, &q.open, &q.openOne, &q.cutoff, &q.more, &q.page, &q.pull, &q.findID, &q.addID, &q.forgetIDs,
		&q.total, &q.create, &q.update, &q.clear, &q.replace, &q.users, &q.collections, &q.secret, &q.createSecret, &q.lock, &q.createAccount,
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
