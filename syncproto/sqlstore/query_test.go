package sqlstore

import (
	"strings"
	"testing"
)

// TestStatementsStayOnOneAccount: what lets an engine spread the tables by
// account. See the package's documentation. Nothing spreads a SQLite file.
func TestStatementsStayOnOneAccount(t *testing.T) {
	for _, d := range []*dialect{postgresDialect(), mysqlDialect()} {
		q := newQueries(d)
		statements := 0
		q.each(func(s *string) {
			statements++
			placeholder := "?"
			if d.dollars {
				placeholder = "$"
			}
			byKey := strings.Contains(*s, "account = "+placeholder)
			insert := strings.HasPrefix(*s, "INSERT") && strings.Contains(*s, "account")
			switch {
			case byKey, insert, s == &q.users, strings.Contains(*s, "sync_secrets"):
			default:
				t.Errorf("%v: %s: names no account", d.Dialect, *s)
			}
			if d.dollars && strings.Contains(*s, "?") {
				t.Errorf("%v: %s: has a ?", d.Dialect, *s)
			}
		})
		if statements < 20 {
			t.Errorf("%v: %d statements: this test has stopped seeing them", d.Dialect, statements)
		}
	}
}

func TestInBatches(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 99, 100, 123, 1000} {
		next := 0
		err := inBatches(n, func(batch, from, to int) error {
			if from != next || to-from != batches[batch] {
				t.Errorf("%d: batch %d is %d to %d, after %d", n, batch, from, to, next)
			}
			next = to
			return nil
		})
		if err != nil || next != n {
			t.Errorf("%d: %d done, %v", n, next, err)
		}
	}
}
