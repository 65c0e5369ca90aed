package syncproto

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/cache"
)

// BenchmarkIdlePoll is a pull without news over loopback, beside a handler that
// writes the same bytes and headers and does nothing else, and beside a list of
// PocketBase that asks for what is newer, and finds nothing.
func BenchmarkIdlePoll(b *testing.B) {
	makeRoom(b)
	poll := func(store syncproto.Store) (subject, http.Header, []byte) {
		h, srv := serve(b, store)
		until := write(b, store, user(0), 10)
		auth := login(b, h, user(0))
		path := target(user(0)) + "?since=" + until.String()
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"applications":[]`) {
			b.Fatalf("%d %s, want no news", w.Code, w.Body)
		}
		client, get := dial(b, srv), request("GET", path, auth, "")
		return subject{do: func(int) error { _, err := client.send(get); return err }}, w.Header(), w.Body.Bytes()
	}
	memory, header, body := poll(new(syncproto.Memory))
	memory.name = "memory"
	db, _ := openSQLite(b, full)
	sqlite, _, _ := poll(db)
	sqlite.name = "sqlite"
	db, _ = openSQLite(b, full)
	remembered, err := cache.New(db, cache.Config{})
	if err != nil {
		b.Fatal(err)
	}
	cached, _, _ := poll(remembered)
	cached.name = "cached"

	plain := dial(b, server(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for k, v := range header {
			h[k] = []string{v[0]}
		}
		w.Write(body)
	})))
	get := request("GET", target(user(0))+"?since=1323084512.10", login(b, mustHandler(b), user(0)), "")
	bare := subject{"bare", func(int) error { _, err := plain.send(get); return err }}

	pb := openPocketBase(b)
	takeTurns(b, 1, bare, memory, cached, sqlite, subject{"pocketbase", pb.poller(b)})
}

func mustHandler(b *testing.B) http.Handler {
	h, _ := serve(b, new(syncproto.Memory))
	return h
}
