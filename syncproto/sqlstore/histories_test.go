package sqlstore

import (
	"testing"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

// The tests named Histories make 20 histories each, and a thousand or any other
// number as a soak:
//
//	SYNCPROTO_HISTORIES=1000 go test -run Histories -timeout 0 -v
//
// They take a minute or two per hundred, most of it in the tests that kill.
const someHistories = 20

func TestHistoriesSQLite(t *testing.T) {
	dsn := file(t)
	t.Run("plain", func(t *testing.T) { testPlain(t, dsn) })
	t.Run("clocks", func(t *testing.T) { testClocks(t, dsn) })
	t.Run("kill", func(t *testing.T) { testKillHistories(t, dsn, nil) })
}

func TestHistoriesPostgres(t *testing.T) {
	db := testserver.Postgres(t)
	dsn := postgresDSN(db)
	t.Run("plain", func(t *testing.T) { testPlain(t, dsn) })
	t.Run("clocks", func(t *testing.T) { testClocks(t, dsn) })
	t.Run("connections", func(t *testing.T) { testBadConnections(t, dsn) })
	t.Run("kill", func(t *testing.T) { testKillHistories(t, dsn, db) })
}

func TestHistoriesMariaDB(t *testing.T) {
	withBinlog(t)
	db := testserver.MariaDB(t)
	dsn := mariadbDSN(db)
	var on, every int
	if err := open(t, dsn).db.QueryRow("SELECT @@log_bin, @@sync_binlog").Scan(&on, &every); err != nil || on != 1 || every != 1 {
		t.Fatalf("log_bin %d, sync_binlog %d, %v", on, every, err)
	}
	t.Run("plain", func(t *testing.T) { testPlain(t, dsn) })
	t.Run("clocks", func(t *testing.T) { testClocks(t, dsn) })
	// The driver's commit listens to no context, only to this.
	t.Run("connections", func(t *testing.T) { testBadConnections(t, dsn+"?readTimeout=1s") })
	t.Run("kill", func(t *testing.T) { testKillHistories(t, dsn, db) })
}

// testPlain: two servers on one database, on a good day.
func testPlain(t *testing.T, dsn string) {
	stores := []syncproto.Store{open(t, dsn), open(t, dsn)}
	storetest.Histories(t, someHistories, 1, func(*testing.T) []syncproto.Store { return stores })
}
