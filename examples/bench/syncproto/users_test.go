package syncproto

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/cache"
	"github.com/brownout-go/brownout/syncproto/sqlstore"
)

// BenchmarkUsers is the cost of one user's work beside ever more users, of five
// apps each. Every turn is another user, far from the last one. Poll, pull and
// push are whole requests over loopback; state, read and write are the store's
// part of them, with no server around it.
//
// A push goes from a thousand users up: one collection takes a hundred writes a
// second, and ten users would wait for the next tick.
//
// What grows is memory that is cold. Ten users are in the processor's cache all
// of the time, which no server's are; of a million, nothing is: each has their own
// leaf of every tree, which SQLite copies from the system's page cache. A map in
// memory grows in the same way. The less a request costs beside that, the more of
// it one sees in the ratios: look at the times too. Two more rows tell what is
// memory's and what the store's. In -of-ten, the same ten users ask, whoever else
// is there. In -cold, everybody asks, and before each request the processor's caches
// are filled with something else, for ten users as for a million, as they are on a
// server that has more to do between two requests.
//
// In poll-cached it is a poll with package cache around the store, as a server has it that
// has its database to itself.
func BenchmarkUsers(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		usersOf(b, sizes(1_000_000), func(b *testing.B, n int) syncproto.Store {
			file := "sqlite:" + filepath.Join(b.TempDir(), "users.db")
			fill, err := sqlstore.Open(b.Context(), file+"?_pragma=synchronous(OFF)&_pragma=cache_size(-500000)")
			if err != nil {
				b.Fatal(err)
			}
			populate(b, fill, n)
			if err := fill.Close(); err != nil {
				b.Fatal(err)
			}
			return opened(b, file+normal)
		})
	})
	b.Run("memory", func(b *testing.B) {
		usersOf(b, sizes(1_000_000), func(b *testing.B, n int) syncproto.Store {
			m := new(syncproto.Memory)
			populate(b, m, n)
			return m
		})
	})
	if os.Getenv("POSTGRES") != "" {
		b.Run("postgres", func(b *testing.B) {
			usersOf(b, sizes(100_000), func(b *testing.B, n int) syncproto.Store {
				// Not to wait for the disk, here as with SQLite.
				s := opened(b, "postgres://postgres@"+testserver.Postgres(b).Addr+"/postgres?sslmode=disable&synchronous_commit=off")
				populate(b, s, n)
				return s
			})
		})
	}
}

// sizes are how many users there are, up to most.
func sizes(most int) []int {
	all := []int{10, 1_000, 100_000}
	if os.Getenv("MILLION") != "" && most >= 1_000_000 {
		all = append(all, 1_000_000)
	}
	return all
}

func opened(b *testing.B, dsn string) *sqlstore.Store {
	b.Helper()
	s, err := sqlstore.Open(b.Context(), dsn)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

const appsOfUser = 5

func usersOf(b *testing.B, sizes []int, open func(b *testing.B, n int) syncproto.Store) {
	var state, read, write, poll, cached, pull, push, tenPoll, tenPull []subject
	for _, n := range sizes {
		name := fmt.Sprint(n)
		store := open(b, n)
		key := func(i int) syncproto.Key {
			return syncproto.Key{User: user(i * 7919 % n), Collection: "apps"}
		}
		state = append(state, subject{name, func(i int) error {
			st, err := store.State(b.Context(), key(i))
			if err == nil && st.Last == 0 {
				err = fmt.Errorf("%v is not there", key(i))
			}
			return err
		}})
		read = append(read, subject{name, func(i int) error {
			count := 0
			_, err := store.Read(b.Context(), key(i), 0, 1000, func(syncproto.State) error { return nil }, func(syncproto.Record) error { count++; return nil })
			if err == nil && count != appsOfUser {
				err = fmt.Errorf("%v has %d apps", key(i), count)
			}
			return err
		}})
		h, srv := serve(b, store)
		client := dial(b, srv)
		polls, pulls, pushes := requests(b, h, store, n)
		send := func(client *wire, all [][]byte) func(int) error {
			return func(i int) error { _, err := client.send(all[i%len(all)]); return err }
		}
		remembered, err := cache.New(store, cache.Config{Size: 1 << 20})
		if err != nil {
			b.Fatal(err)
		}
		_, srv = serve(b, remembered)
		other := dial(b, srv)
		for i := range polls { // a session's first poll makes its mark
			for _, client := range []*wire{client, other} {
				if err := send(client, polls)(i); err != nil {
					b.Fatal(err)
				}
			}
		}
		poll = append(poll, subject{name, send(client, polls)})
		cached = append(cached, subject{name, send(other, polls)})
		pull = append(pull, subject{name, send(client, pulls)})
		tenPoll = append(tenPoll, subject{name, send(client, polls[:10])})
		tenPull = append(tenPull, subject{name, send(client, pulls[:10])})
		if n > 10 {
			push = append(push, subject{name, send(client, pushes)})
			write = append(write, subject{name, func(i int) error {
				_, err := store.Write(b.Context(), key(i), syncproto.Write{Apps: []syncproto.App{{Origin: origin(i % appsOfUser), Doc: []byte(document(i % appsOfUser))}}})
				return err
			}})
		}
	}
	for _, part := range []struct {
		name     string
		before   func()
		subjects []subject
	}{
		{"poll", nil, poll}, {"poll-cached", nil, cached}, {"poll-of-ten", nil, tenPoll}, {"poll-cold", useCaches, poll},
		{"pull", nil, pull}, {"pull-of-ten", nil, tenPull}, {"pull-cold", useCaches, pull},
		{"push", nil, push},
		{"state", nil, state}, {"read", nil, read}, {"write", nil, write},
	} {
		b.Run(part.name, func(b *testing.B) { takeTurnsAfter(b, part.before, 1, part.subjects...) })
	}
}

// others is what the rest of a server works with: several times the size of
// the caches of a core.
var others [2][16 << 20]byte

// useCaches fills them, those of one core for the client and those of another
// for the server.
func useCaches() {
	var wg sync.WaitGroup
	for core := range others {
		wg.Go(func() {
			for i := 0; i < len(others[core]); i += 64 {
				others[core][i]++
			}
		})
	}
	wg.Wait()
}

// requests are those of up to 16,384 users, far from each other in the
// database. A poll says what the client has, as one does that has pulled all.
func requests(b *testing.B, h http.Handler, store syncproto.Store, n int) (polls, pulls, pushes [][]byte) {
	for i := range min(n, 1<<14) {
		u := user(i * 7919 % n)
		auth := login(b, h, u)
		st, err := store.State(b.Context(), syncproto.Key{User: u, Collection: "apps"})
		if err != nil || st.Last == 0 {
			b.Fatalf("%s has %+v, %v", u, st, err)
		}
		polls = append(polls, request("GET", target(u)+"?since="+st.Last.String(), auth, ""))
		pulls = append(pulls, request("GET", target(u)+"?since=0", auth, ""))
		pushes = append(pushes, request("POST", target(u), auth, "["+document(i%appsOfUser)+"]"))
	}
	return polls, pulls, pushes
}

// populate writes everybody's apps in two rounds, for nobody installs all of
// them at once, and in another order than that in which they are asked for.
func populate(b *testing.B, s syncproto.Store, users int) {
	b.Helper()
	docs := make([]syncproto.App, appsOfUser)
	for i := range docs {
		docs[i] = syncproto.App{Origin: origin(i), Doc: []byte(document(i))}
	}
	for _, apps := range [][]syncproto.App{docs[:3], docs[3:]} {
		const writers = 32 // SQLite takes them together
		var wg sync.WaitGroup
		errs := make(chan error, writers)
		for w := range writers {
			wg.Go(func() {
				for i := w; i < users; i += writers {
					k := syncproto.Key{User: user(i * 104729 % users), Collection: "apps"}
					if _, err := s.Write(context.Background(), k, syncproto.Write{Apps: apps}); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		select {
		case err := <-errs:
			b.Fatal(err)
		default:
		}
	}
}
