package cache_test

import (
	"context"
	"fmt"
	"log"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/cache"
)

// database stands for one: it counts what it is asked for.
type database struct {
	syncproto.Store
	queries int
}

func (d *database) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	d.queries++
	return d.Store.State(ctx, key)
}

// Of a thousand polls of a collection, the database sees the first.
func Example() {
	db := &database{Store: new(syncproto.Memory)}
	store, err := cache.New(db, cache.Config{})
	if err != nil {
		log.Fatal(err)
	}
	for range 1000 {
		if _, err := store.State(context.Background(), syncproto.Key{User: "ann@example.com", Collection: "apps"}); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(db.queries)
	// Output: 1
}
