package syncproto

import (
	"cmp"
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
// push are whole requests over loopback.
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
// As a server has it that has its database to itself, with package cache around
// the store, a poll is poll-cached. With SQLite, push is without the flush of every
// commit, which is four fifths of it and says nothing of users, and push-flushed is
// as a server has it.
func BenchmarkUsers(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		makeRoom(b)
		usersOf(b, sizes(1_000_000), func(b *testing.B, n int) (store, flushed syncproto.Store) {
			file := "sqlite:" + filepath.Join(b.TempDir(), "users.db")
			fill, err := sqlstore.Open(b.Context(), file+"?_pragma=synchronous(OFF)&_pragma=cache_size(-500000)")
			if err != nil {
				b.Fatal(err)
			}
			populate(b, fill, n)
			if err := fill.Close(); err != nil {
				b.Fatal(err)
			}
			return opened(b, file+normal), opened(b, file+full)
		})
	})
	b.Run("memory", func(b *testing.B) {
		usersOf(b, sizes(1_000_000), func(b *testing.B, n int) (store, flushed syncproto.Store) {
			m := new(syncproto.Memory)
			populate(b, m, n)
			return m, nil
		})
	})
	if os.Getenv("POSTGRES") != "" {
		b.Run("postgres", func(b *testing.B) {
			usersOf(b, sizes(100_000), func(b *testing.B, n int) (store, flushed syncproto.Store) {
				// Not to wait for the disk, here as with SQLite.
				s := opened(b, "postgres://postgres@"+testserver.Postgres(b).Addr+"/postgres?sslmode=disable&synchronous_commit=off")
				populate(b, s, n)
				return s, nil
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

// A crowd is those who ask one server. What a client does to send its request is
// not the server's: it is at hand before the turn begins.
type crowd struct {
	name     string
	client   *wire
	requests [][]byte
	next     []byte
}

func (c *crowd) prepare(i int) { c.next = append(c.next[:0], c.requests[i%len(c.requests)]...) }
func (c *crowd) ask(int) error { _, err := c.client.send(c.next); return err }

// usersOf compares stores of ever more users. Open returns one that does not
// flush its commits and, if there is a difference, one that does.
func usersOf(b *testing.B, sizes []int, open func(b *testing.B, n int) (store, flushed syncproto.Store)) {
	parts := map[string][]*crowd{}
	for _, n := range sizes {
		store, flushed := open(b, n)
		remembered, err := cache.New(store, cache.Config{Size: 1 << 20})
		if err != nil {
			b.Fatal(err)
		}
		h, srv := serve(b, store)
		client := dial(b, srv)
		_, srv = serve(b, remembered)
		other := dial(b, srv)
		polls, pulls, pushes := requests(b, h, store, n)
		for _, poll := range polls { // a session's first poll makes its mark
			for _, client := range []*wire{client, other} {
				if _, err := client.send(poll); err != nil {
					b.Fatal(err)
				}
			}
		}
		add := func(part string, client *wire, requests [][]byte) {
			parts[part] = append(parts[part], &crowd{fmt.Sprint(n), client, requests, nil})
		}
		add("poll", client, polls)
		add("poll-cached", other, polls)
		add("poll-of-ten", client, polls[:10])
		add("pull", client, pulls)
		add("pull-of-ten", client, pulls[:10])
		if n > 10 {
			add("push", client, pushes)
		}
		if n > 10 && flushed != nil {
			_, srv := serve(b, flushed)
			add("push-flushed", dial(b, srv), pushes)
		}
	}
	for _, part := range []struct {
		name string
		of   string
		cold bool
	}{
		{name: "poll"}, {name: "poll-cached"}, {name: "poll-of-ten"}, {name: "poll-cold", of: "poll", cold: true},
		{name: "pull"}, {name: "pull-of-ten"}, {name: "pull-cold", of: "pull", cold: true},
		{name: "push"}, {name: "push-flushed"},
	} {
		crowds := parts[cmp.Or(part.of, part.name)]
		if len(crowds) == 0 {
			continue
		}
		var subjects []subject
		for _, c := range crowds {
			subjects = append(subjects, subject{c.name, c.ask})
		}
		b.Run(part.name, func(b *testing.B) {
			takeTurnsAfter(b, func(n, i int) {
				crowds[n].prepare(i)
				if part.cold {
					useCaches()
				}
			}, 1, subjects...)
		})
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
