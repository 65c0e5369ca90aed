package syncproto_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// waits tells the requests that are meant to last: long polls and streams.
func waits(r *http.Request) bool {
	return r.Method == "GET" && (r.URL.Query().Has("wait") || strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream"))
}

// untilStopping ends the requests that wait when the server begins to stop, and
// no others: a push that is under way has to be answered.
func untilStopping(stopping context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if waits(r) {
			ctx, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(stopping, cancel)()
			r = r.WithContext(ctx)
		}
		next.ServeHTTP(w, r)
	})
}

// Clients that wait don't keep a server from stopping.
func ExampleWatch() {
	h, err := syncproto.New(syncproto.Config{
		Store:       new(syncproto.Memory),
		Verifier:    verify.Plain{},
		Development: true, // anyone may log in as anyone
		Watch:       syncproto.Watch{Max: time.Minute},
	})
	if err != nil {
		log.Fatal(err)
	}
	stopping, stop := context.WithCancel(context.Background())
	server := untilStopping(stopping, h) // in front of it http.Server, whose Shutdown follows stop

	_, answer := login(h, "ann@example.com?a=demo", "demo")
	poll := httptest.NewRequest("GET", "/collections/ann@example.com/apps?wait=60", nil)
	poll.Header.Set("Authorization", authorization(answer))
	w := httptest.NewRecorder()
	time.AfterFunc(10*time.Millisecond, stop)
	server.ServeHTTP(w, poll)
	fmt.Println(w.Code, w.Body)
	// Output:
	// 200 {"since":0.00,"uuid":null,"applications":[],"until":0.00}
}
