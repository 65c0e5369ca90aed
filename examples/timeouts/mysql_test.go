package main

import (
	"context"
	"database/sql"
	"net"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/timeout"
)

// outcomes is a breaker that lets everything through.
type outcomes []error

func (o *outcomes) Allow() (func(error), error) {
	return func(err error) { *o = append(*o, err) }, nil
}

// A database that is well looks well through its limits: statements with arguments, which
// the driver does in two steps, are no failures to a breaker, and a connection that has
// been idle for longer than a call may take is used again.
func TestMySQLThatIsWell(t *testing.T) {
	server := testserver.MariaDB(t)
	const limit = 500 * time.Millisecond
	told := new(outcomes)
	guard, err := timeout.NewBackend(timeout.BackendConfig{Name: "mysql", Dial: 10 * time.Second, Call: limit, Breaker: told})
	if err != nil {
		t.Fatal(err)
	}
	dial, dials := guard.DialContext(nil), 0
	config, err := mysql.ParseDSN("root@tcp(" + server.Addr + ")/test")
	if err != nil {
		t.Fatal(err)
	}
	config.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials++
		return dial(ctx, network, addr)
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(guard.Connector(connector))
	defer db.Close()
	var sum int
	for range 2 {
		if err := db.QueryRow("SELECT 1 + ?", 2).Scan(&sum); err != nil || sum != 3 {
			t.Fatal(sum, err)
		}
		<-time.After(limit + 10*time.Millisecond) // a driver's own clock is no bubble's
	}
	if dials != 1 {
		t.Errorf("%d connections were made, one after the other", dials)
	}
	if len(*told) != 5 { // connect, and twice prepare and do
		t.Errorf("the breaker was told %d times: %v", len(*told), *told)
	}
	for _, err := range *told {
		if err != nil {
			t.Errorf("the breaker was told %v", err)
		}
	}
}
