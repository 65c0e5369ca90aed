package sqlstore

import (
	"testing"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

// The tests named Histories make 20 histories on a good day and 10 of each kind
// of bad day, and a thousand of each, or any other number, as a soak:
//
//	SYNCPROTO_HISTORIES=1000 go test -run Histories -timeout 0 -v
//
// Most of the time they wait, for a tick of a clock or for a server to be back.
const (
	goodDays = 20
	badDays  = 10
)

func TestHistoriesSQLite(t *testing.T) {
	t.Parallel()
	testHistories(t, file(t), nil)
}

func TestHistoriesPostgres(t *testing.T) {
	t.Parallel()
	db := testserver.Postgres(t)
	testHistories(t, postgresDSN(db), db)
}

func TestHistoriesMariaDB(t *testing.T) {
	db := testserver.MariaDB(t)
	dsn := mariadbDSN(db) + "?readTimeout=1s" // the driver's commit listens to no context, only to this
	t.Run("binlog", func(t *testing.T) {
		var on, every int
		if err := open(t, dsn).db.QueryRow("SELECT @@log_bin, @@sync_binlog").Scan(&on, &every); err != nil || on != 1 || every != 1 {
			t.Fatalf("log_bin %d, sync_binlog %d, %v", on, every, err)
		}
	})
	testHistories(t, dsn, db)
}

// testHistories plays histories over a database, which is a file if db is nil.
// Each history has a user of its own, and so they may go on side by side, but
// for those that kill the database, which come first.
func testHistories(t *testing.T, dsn string, db *testserver.Server) {
	t.Run("service", func(t *testing.T) { testService(t, dsn, db) })
	t.Run("plain", func(t *testing.T) { t.Parallel(); testPlain(t, dsn) })
	t.Run("clocks", func(t *testing.T) { t.Parallel(); testClocks(t, dsn) })
	if db != nil {
		t.Run("connections", func(t *testing.T) { t.Parallel(); testBadConnections(t, dsn) })
	}
}

// testPlain: two servers on one database, on a good day.
func testPlain(t *testing.T, dsn string) {
	histories(t, goodDays, 1, open(t, dsn), open(t, dsn))
}

// histories makes histories over the stores, and reports whether it made as many
// as it was told to, and not only those that -run asks for: only then can a test
// say that its day was not bad enough.
func histories(t *testing.T, n int, seed uint64, stores ...syncproto.Store) (all bool) {
	made := 0
	storetest.Histories(t, n, seed, func(*testing.T) []syncproto.Store {
		made++
		return stores
	})
	return made >= n
}
