package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/examples/internal/programtest"
	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/sqlstore"
)

// poll asks for news, and returns how many apps there are and the next since.
func (d device) poll(since json.Number) (apps int, until json.Number) {
	d.t.Helper()
	status, _, body := d.do("GET", d.path+"?since="+since.String(), d.auth, "")
	var page struct {
		Applications []json.RawMessage
		Until        json.Number
	}
	if err := json.Unmarshal([]byte(body), &page); status != 200 || err != nil {
		d.t.Fatalf("poll: %d %.200s", status, body)
	}
	return len(page.Applications), page.Until
}

// A poll without news runs no statement, and costs the database one for each
// collection in -cache's time.
func TestIdlePollRunsNoStatement(t *testing.T) {
	for cache, perPoll := range map[time.Duration]int{10 * time.Minute: 0, 0: 1} {
		s := startServer(t, config{
			db: "sqlite:" + t.TempDir() + "/appsync.db", verifier: "dev", cache: cache,
			budget: 30 * time.Second, retryAfter: 7 * time.Second,
		})
		ann := (&process{t: t, url: s.url}).login("ann@example.com")
		since := ann.push("https://a.example")
		ann.poll(since)
		const polls = 100
		before := s.database.Stats().Calls
		for range polls {
			if apps, _ := ann.poll(since); apps != 0 {
				t.Fatalf("-cache %v: %d apps where there is no news", cache, apps)
			}
		}
		if n := s.database.Stats().Calls - before; n != uint64(polls*perPoll) {
			t.Errorf("-cache %v: %d polls ran %d statements, want %d", cache, polls, n, polls*perPoll)
		}
		ann.push("https://b.example")
		if apps, _ := ann.poll(since); apps != 1 {
			t.Errorf("-cache %v: %d apps after a push, want 1", cache, apps)
		}
	}
}

// tap forwards connections to a server, and counts the bytes that it is sent.
func tap(t *testing.T, addr string) (at string, sent *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	sent = new(atomic.Int64)
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", addr)
			if err != nil {
				in.Close()
				continue
			}
			go func() {
				defer out.Close()
				io.Copy(io.MultiWriter(out, count{sent}), in)
			}()
			go func() {
				defer in.Close()
				io.Copy(in, out)
			}()
		}
	}()
	return ln.Addr().String(), sent
}

type count struct{ n *atomic.Int64 }

func (c count) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return len(b), nil
}

// Two servers share a PostgreSQL and a memcached: idle polls of either send the
// database not a byte, each hears at once of what the other was told, and if
// memcached is not told, no later than -cache.
func TestServersShareWhatTheyRemember(t *testing.T) {
	postgres, memcached := testserver.Postgres(t), testserver.Memcached(t)
	addr, sent := tap(t, postgres.Addr)
	db := "postgres://postgres@" + addr + "/postgres?sslmode=disable"
	const cache = 2 * time.Second
	start := func(memcached string) *process {
		return startProgram(t, "-db", db, "-memcached", memcached, "-budget", "30s", "-cache", cache.String())
	}
	own, mute := memcached.Addr, deaf(t)
	a, b := start(own), start(own)
	phone := a.login("ann@example.com")
	laptop := phone.at(b)

	for round := range 5 {
		since := phone.push(fmt.Sprintf("https://a%d.example", round))
		if apps, until := laptop.poll("0"); apps != 2*round+1 || until != since {
			t.Errorf("the other server has %d apps at %v, want %d at %v", apps, until, 2*round+1, since)
		}
		laptop.push(fmt.Sprintf("https://b%d.example", round))
		if apps, _ := phone.poll(since); apps != 1 {
			t.Errorf("round %d: %d apps after a push to the other server, want 1", round, apps)
		}
	}
	// What is remembered ends on the way, so it takes a run of polls.
	_, since := phone.poll("0")
	until(t, "50 polls of each server without a byte for the database", func() bool {
		phone.poll(since)
		before := sent.Load()
		for range 50 {
			phone.poll(since)
			laptop.poll(since)
		}
		return sent.Load() == before
	})

	// A server that cannot reach memcached pushes.
	tablet := phone.at(start(mute))
	phone.poll(since)
	tablet.push("https://c.example")
	pushed := time.Now()
	stale := 0
	for {
		asked := time.Now()
		if apps, _ := phone.poll(since); apps > 0 {
			break
		}
		if stale++; asked.Sub(pushed) > cache {
			t.Fatalf("a poll %v after the push is told of no news, -cache is %v", asked.Sub(pushed), cache)
		}
	}
	t.Logf("%d polls were told of no news within %v", stale, cache)
}

// deaf returns the address of a server that never answers.
func deaf(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// What another program writes to the file is heard of after -cache at the latest.
func TestOtherProgramsWrite(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "appsync.db")
	const cache = time.Second
	p := startProgram(t, "-db", db, "-budget", "30s", "-cache", cache.String())
	ann := p.login("ann@example.com")
	since := ann.push("https://a.example")
	other, err := sqlstore.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ann.poll(since)
	key := syncproto.Key{User: "ann@example.com", Collection: "apps"}
	if _, err := other.Write(t.Context(), key, syncproto.Write{Apps: []syncproto.App{{Origin: "b", Doc: []byte(`{"origin":"b"}`)}}}); err != nil {
		t.Fatal(err)
	}
	written := time.Now()
	for {
		asked := time.Now()
		if apps, _ := ann.poll(since); apps > 0 {
			break
		}
		if late := asked.Sub(written); late > cache {
			t.Fatalf("a poll %v after the write is told of no news, -cache is %v", late, cache)
		}
	}
}

// A server that remembers has its file to itself, until its end, however that
// comes. Those that remember nothing may share one.
func TestServersOfOneFile(t *testing.T) {
	folder := t.TempDir()
	db := "sqlite:" + filepath.Join(folder, "appsync.db")
	refused := func(args ...string) {
		t.Helper()
		p := programtest.Start(t, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
		var exit *exec.ExitError
		if err := p.Wait(); !errors.As(err, &exit) || !strings.Contains(p.Log(), "-cache 0") {
			t.Errorf("%q ended with %v and said %q", args, err, p.Log())
		}
	}
	alone := startProgram(t, "-db", db)
	ann := alone.login("ann@example.com")
	since := ann.push("https://a.example")
	ann.poll(since)
	refused("-db", db)
	refused("-db", "sqlite:"+folder+"/../"+filepath.Base(folder)+"/appsync.db")
	refused("-db", "sqlite://"+folder+"/appsync.db?_pragma=synchronous(NORMAL)")
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(filepath.Join(folder, "appsync.db"), link); err != nil {
		t.Fatal(err)
	}
	refused("-db", "sqlite:"+link)
	refused("-db", db, "-cache", "0")
	alone.Kill()

	alone = startProgram(t, "-db", db)
	if apps, _ := ann.at(alone).poll("0"); apps != 1 {
		t.Errorf("%d apps after a crash, want 1", apps)
	}
	if err := alone.Stop(); err != nil {
		t.Fatal(err)
	}

	one, two := startProgram(t, "-db", db, "-cache", "0"), startProgram(t, "-db", db, "-cache", "0")
	refused("-db", db)
	for range 10 {
		before := since
		since = ann.at(one).push("https://a.example")
		if apps, _ := ann.at(two).poll(before); apps != 1 {
			t.Errorf("%d apps after a push to the other server, want 1", apps)
		}
		ann.at(one).poll(since)
	}
}

// Polls without news are answered while the database is away, and what has to
// ask it is told to come back.
func TestIdlePollsOutliveTheDatabase(t *testing.T) {
	postgres, memcached := testserver.Postgres(t), testserver.Memcached(t)
	p := startProgram(t, "-db", "postgres://postgres@"+postgres.Addr+"/postgres?sslmode=disable", "-memcached", memcached.Addr, "-budget", "2s")
	ann := p.login("ann@example.com")
	since := ann.push("https://a.example")
	ann.poll(since)
	postgres.Kill()
	for range 10 {
		if apps, until := ann.poll(since); apps != 0 || until != since {
			t.Errorf("%d apps until %v", apps, until)
		}
	}
	if status, header, _ := ann.do("GET", ann.path, ann.auth, ""); status != 503 || header.Get("Retry-After") == "" {
		t.Errorf("a pull of everything: %d, Retry-After %q; want 503", status, header.Get("Retry-After"))
	}
}
