package backends

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/memnet"
)

func TestSlowBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &memnet.Network{}
		defer network.Close()
		l, err := network.Listen("tcp", "backend:80")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "hello")
		})}
		go server.Serve(l)
		defer server.Close()

		var inj faultconn.Injector
		err = inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{
			Name: "slow", Fault: fault.Delay{For: 20 * time.Second},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{
			Transport: &http.Transport{DialContext: inj.Dialer("backend", network.DialContext)},
			Timeout:   2 * time.Second,
		}
		defer client.CloseIdleConnections()

		start := time.Now()
		_, err = client.Get("http://backend/")
		var ne net.Error
		if !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("got %v, want a timeout", err)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v", took) // of the test's own time: it is exact, and costs nothing
		}
		if unfired := inj.Unfired(); len(unfired) > 0 {
			t.Errorf("these rules have tested nothing: %v", unfired)
		}
	})
}

func TestFullDatabase(t *testing.T) {
	addr := startPostgres(t)
	var inj faultconn.Injector
	err := inj.SetPlan(faultconn.Plan{Rules: []faultconn.Rule{{
		Name:  "full",
		Fault: &framing.Reply{Protocol: "postgres", Error: "too-many-connections", Messages: framing.Messages{First: 1}},
	}}})
	if err != nil {
		t.Fatal(err)
	}

	_, err = openPostgres(t.Context(), addr, inj.Dialer("db", nil))
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) || refusal.Code != "53300" {
		t.Errorf("got %v, want what a full PostgreSQL says", err)
	}
	c, err := openPostgres(t.Context(), addr, inj.Dialer("db", nil)) // only the first was refused
	if err != nil {
		t.Fatal(err)
	}
	c.Close(t.Context())
}
