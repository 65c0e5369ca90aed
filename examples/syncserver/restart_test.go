package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Two devices, ten thousand apps, and a restart in between: everything is
// still there, and so are the logins.
func TestRestart(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "appsync.db")
	p := startProgram(t, "-db", db, "-budget", "30s")
	phone, laptop := p.login("ann@example.com"), p.login("ann@example.com")
	const pushes, each = 10, 1000
	for i := range pushes {
		origins := make([]string, each)
		for j := range origins {
			origins[j] = fmt.Sprintf("https://app%d.example", i*each+j)
		}
		phone.push(origins...)
	}
	if err := p.Stop(); err != nil {
		t.Fatalf("SIGTERM: %v, want exit status 0\n%s", err, p.Log())
	}
	if !strings.Contains(p.Log(), `"msg":"stopped"`) {
		t.Errorf("the log does not say that the server stopped:\n%s", p.Log())
	}
	p = startProgram(t, "-db", db, "-budget", "30s")
	if got := laptop.at(p).pull(); len(got) != pushes*each {
		t.Errorf("the other device pulls %d apps, want %d", len(got), pushes*each)
	}
}

// kill -9 in the middle of a stream of pushes loses none that was
// acknowledged, however often it happens.
func TestKill(t *testing.T) {
	db := "sqlite:" + filepath.Join(t.TempDir(), "appsync.db")
	const kills, writers, acknowledged = 5, 8, 50
	want := map[string]bool{}
	var last device
	for round := range kills {
		p := startProgram(t, "-db", db, "-budget", "30s")
		last = p.login("ann@example.com")
		acks := make(chan string, 1000)
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := 0; ; i++ {
					origin := fmt.Sprintf("https://app-%d-%d-%d.example", round, w, i)
					resp, err := p.try("POST", last.path, last.auth, appsOf([]string{origin}))
					if err != nil {
						return // killed
					}
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if err != nil {
						return
					}
					if resp.StatusCode == 200 {
						acks <- origin
					}
				}
			})
		}
		go func() { writing.Wait(); close(acks) }()
		n := 0
		for origin := range acks {
			want[origin] = true
			if n++; n == acknowledged {
				go p.Kill()
			}
		}
	}
	got := last.at(startProgram(t, "-db", db, "-budget", "30s")).pull()
	lost := 0
	for origin := range want {
		if !got[origin] {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged pushes are lost", lost, len(want))
	}
	t.Logf("%d kills, %d pushes acknowledged, %d apps stored", kills, len(want), len(got))
}
