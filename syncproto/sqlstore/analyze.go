package sqlstore

// forgetSmall throws away what an ANALYZE, or PRAGMA optimize, found out about a
// nearly empty file. SQLite takes it for true however large the file has grown, and
// prefers to read all of a table of two rows to a range of its ids.
func forgetSmall(tx *tx) error {
	var one int
	found, err := tx.get([]any{&one}, "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'")
	if err != nil || !found {
		return err
	}
	found, err = tx.get([]any{&one}, "SELECT 1 WHERE (SELECT MAX(CAST(stat AS INTEGER)) FROM sqlite_stat1 WHERE tbl = 'sync_rows') < 100")
	if err != nil || !found {
		return err
	}
	if err := tx.exec("DELETE FROM sqlite_stat1 WHERE tbl = 'sync_rows'"); err != nil {
		return err
	}
	return tx.exec("ANALYZE sqlite_schema") // for this connection: it reads what is left
}
