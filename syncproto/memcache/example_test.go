package memcache_test

import (
	"log"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/memcache"
)

// One server of a group over one database and one memcached.
func Example() {
	var (
		db    syncproto.Store    // the same for all, such as sqlstore's on PostgreSQL
		key   []byte             // the same for all, 32 random bytes, such as its Secret
		login syncproto.Verifier // who may log in as whom
	)
	mc, err := memcache.New(memcache.Config{Servers: []string{"10.0.0.1:11211"}})
	if err != nil {
		log.Fatal(err)
	}
	defer mc.Close()
	store, err := mc.Cached(db)
	if err != nil {
		log.Fatal(err)
	}
	h, err := syncproto.New(syncproto.Config{
		Store:     store,
		Verifier:  login,
		Audiences: []string{"https://apps.example.com"},
		Marks:     mc.Marks(),
		Sessions:  &syncproto.SignedSessions{Keys: [][]byte{key}},
	})
	if err != nil {
		log.Fatal(err)
	}
	_ = h
}
