package storetest_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

// Two servers over one store, as a test of your own would have them.
func ExampleServiceHistories() {
	_ = func(t *testing.T) {
		store := new(syncproto.Memory) // yours
		key := make([]byte, 32)        // both servers', so that each accepts the other's sessions
		var service storetest.Service
		for range 2 {
			h, err := storetest.Handler(syncproto.Config{
				Store:    store,
				Sessions: &syncproto.SignedSessions{Keys: [][]byte{key}},
			})
			if err != nil {
				t.Fatal(err)
			}
			srv := httptest.NewServer(h)
			t.Cleanup(srv.Close)
			service.Servers = append(service.Servers, &http.Transport{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", srv.Listener.Addr().String())
				},
			})
		}
		storetest.ServiceHistories(t, 20, 1, func(*testing.T) storetest.Service { return service })
	}
}
