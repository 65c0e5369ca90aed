package sqlstore

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

// postgres starts a PostgreSQL.
func postgres(t *testing.T) (dsn string) {
	dsn = "postgres://postgres@" + testserver.Postgres(t).Addr + "/postgres?sslmode=disable"
	awake(t, dsn)
	return dsn
}

// awake waits until a PostgreSQL that has opened its port takes queries too.
func awake(t *testing.T, dsn string) {
	t.Helper()
	connector, _, err := Connector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	for {
		c, err := connector.Connect(t.Context())
		var starting *pgconn.PgError
		switch {
		case err == nil:
			c.Close()
			return
		case errors.As(err, &starting) && starting.Code == "57P03": // cannot_connect_now
			sleep(t.Context(), 5*time.Millisecond)
		default:
			t.Fatal(err)
		}
	}
}

// mariadb starts a MariaDB.
func mariadb(t *testing.T) (dsn string) {
	return "mysql://root@" + testserver.MariaDB(t).Addr + "/test"
}

// empty returns a function that opens the store and empties its tables, so
// that a suite needs one server and not one for each case.
func empty(dsn string) func(*testing.T) *Store {
	return func(t *testing.T) *Store {
		s := open(t, dsn)
		for _, table := range []string{"accounts", "collections", "records", "writes"} {
			if _, err := s.db.Exec("DELETE FROM sync_" + table); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
}

func testServer(t *testing.T, dsn string) {
	fresh := empty(dsn)
	openAtOnce(t, dsn)
	t.Run("one", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) syncproto.Store { return fresh(t) })
	})
	t.Run("two", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) syncproto.Store {
			return &pair{stores: [2]*Store{fresh(t), open(t, dsn)}}
		})
	})
	t.Run("restart", func(t *testing.T) { testRestart(t, dsn) })
	t.Run("quota", func(t *testing.T) {
		testQuota(t, &pair{stores: [2]*Store{fresh(t), open(t, dsn)}})
	})
}

func TestPostgres(t *testing.T) { testServer(t, postgres(t)) }
func TestMariaDB(t *testing.T)  { testServer(t, mariadb(t)) }

func TestSQLiteQuota(t *testing.T) {
	dsn := file(t)
	testQuota(t, &pair{stores: [2]*Store{open(t, dsn), open(t, dsn)}})
}

// testQuota: writes to different collections of one user, on two servers at
// once, must not slip past a quota that is about all of them.
func testQuota(t *testing.T, s *pair) {
	const n, doc = 12, `{"n":1234}`
	for _, q := range []syncproto.Quota{{Collections: 3}, {Bytes: 3 * int64(len(doc))}} {
		user := fmt.Sprint("quota", q.Collections)
		errs := make(chan error, n)
		for i := range n {
			go func() {
				_, err := s.Write(t.Context(), syncproto.Key{User: user, Collection: fmt.Sprint("c", i)},
					syncproto.Write{Apps: []syncproto.App{app("a", doc)}, Quota: q})
				errs <- err
			}()
		}
		written := 0
		for range n {
			if err := <-errs; err == nil {
				written++
			}
		}
		all, err := s.Collections(t.Context(), user)
		if err != nil || written != 3 || len(all) != 3 {
			t.Errorf("%+v: %d writes went through, %d collections are there, %v; want 3", q, written, len(all), err)
		}
	}
}
