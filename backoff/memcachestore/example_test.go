package memcachestore_test

import (
	"log"
	"net/http"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/memcachestore"
)

// A server whose operators say `appsync-backoff -m cache1:11211,cache2:11211
// set 20`.
func Example() {
	store, err := memcachestore.New(memcachestore.Config{Addr: "cache1:11211,cache2:11211"})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	source, err := backoff.NewSource(backoff.SourceConfig{Store: store})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	ease, err := backoff.Policy{Current: source.Current}.Middleware()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:5000", ease(http.NotFoundHandler())))
}
