package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// sqliteSession is one connection of a new database with a table t of the
// numbers 1, 2 and 3.
func sqliteSession(t *testing.T) *sql.Conn {
	t.Helper()
	connector, _, err := Connector("sqlite:" + filepath.Join(t.TempDir(), "kept.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for _, q := range []string{"CREATE TABLE t (n INTEGER PRIMARY KEY)", "INSERT INTO t VALUES (1), (2), (3)"} {
		if _, err := conn.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

func kept(t *testing.T, conn *sql.Conn) (n int) {
	t.Helper()
	if err := conn.Raw(func(c any) error { n = len(c.(*sqliteConn).kept); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func numbers(t *testing.T, rows *sql.Rows, err error) (all []int) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestStatementIsPreparedOnce(t *testing.T) {
	conn := sqliteSession(t)
	before := kept(t, conn)
	for least := range 3 {
		rows, err := conn.QueryContext(t.Context(), "SELECT n FROM t WHERE n > ? ORDER BY n", least)
		if got := numbers(t, rows, err); !slices.Equal(got, []int{1, 2, 3}[least:]) {
			t.Errorf("above %d: %v", least, got)
		}
	}
	if n := kept(t, conn) - before; n != 1 {
		t.Errorf("%d statements were kept of one that ran three times", n)
	}
}

// A statement whose rows are being read must not be run again from its
// beginning.
func TestStatementInUse(t *testing.T) {
	conn := sqliteSession(t)
	const query = "SELECT n FROM t ORDER BY n"
	outer, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer outer.Close()
	var seen []int
	for outer.Next() {
		var n int
		if err := outer.Scan(&n); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, n)
		rows, err := conn.QueryContext(t.Context(), query)
		if got := numbers(t, rows, err); !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("within: %v", got)
		}
	}
	if err := outer.Err(); err != nil || !slices.Equal(seen, []int{1, 2, 3}) {
		t.Errorf("%v, %v", seen, err)
	}
}

func TestStatementAfterError(t *testing.T) {
	conn := sqliteSession(t)
	const insert = "INSERT INTO t VALUES (?)"
	for range 2 {
		if _, err := conn.ExecContext(t.Context(), insert, 3); err == nil {
			t.Error("the same key twice")
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := conn.ExecContext(ctx, insert, 4); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the context has ended", err)
	}
	if _, err := conn.ExecContext(t.Context(), insert, 4); err != nil {
		t.Error(err)
	}
	rows, err := conn.QueryContext(t.Context(), "SELECT n FROM t ORDER BY n")
	if got := numbers(t, rows, err); !slices.Equal(got, []int{1, 2, 3, 4}) {
		t.Error(got)
	}
}

func TestStatementAfterMigration(t *testing.T) {
	conn := sqliteSession(t)
	columns := func() int {
		rows, err := conn.QueryContext(t.Context(), "SELECT * FROM t")
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		rows.Next()
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := columns()
	if _, err := conn.ExecContext(t.Context(), "ALTER TABLE t ADD COLUMN name TEXT"); err != nil {
		t.Fatal(err)
	}
	if after := columns(); before != 1 || after != 2 {
		t.Errorf("%d columns, then %d, want 1 and 2", before, after)
	}
}

func TestManyStatements(t *testing.T) {
	conn := sqliteSession(t)
	for range 2 {
		for i := range 2 * mostKept {
			rows, err := conn.QueryContext(t.Context(), fmt.Sprintf("SELECT n + %d FROM t WHERE n = 1", i))
			if got := numbers(t, rows, err); !slices.Equal(got, []int{i + 1}) {
				t.Fatal(i, got)
			}
		}
	}
	if n := kept(t, conn); n != mostKept {
		t.Errorf("%d statements are kept, want %d", n, mostKept)
	}
}
