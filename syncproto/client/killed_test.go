package client_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/client"
	"github.com/brownout-go/brownout/syncproto/verify"
)

// A process with a device in a file is killed, again and again: while it stores a
// change, while a request of its is on the way, and while the answer is. Nothing
// that Set has said is stored gets lost, and the device never takes what it has
// pushed itself for somebody else's.
func TestKilledProcess(t *testing.T) {
	if file := os.Getenv("DEVICE_FILE"); file != "" {
		beDevice(t, os.Getenv("DEVICE_URL"), file)
		return
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	h, err := syncproto.New(syncproto.Config{Store: new(syncproto.Memory), Verifier: verify.Plain{}, Development: true})
	if err != nil {
		t.Fatal(err)
	}
	type victim struct {
		kill    func() error
		arrives bool // the push that it is killed at
	}
	victims := make(chan victim, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isPush(r) {
			select {
			case v := <-victims:
				if v.arrives {
					h.ServeHTTP(discard{http.Header{}}, r)
				}
				v.kill()
				panic(http.ErrAbortHandler)
			default:
			}
		}
		h.ServeHTTP(w, r)
	}))
	defer srv.Close()

	dir := t.TempDir()
	file := filepath.Join(dir, "state")
	stored := map[string]string{}
	for round := range 12 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$", "-test.v")
		cmd.Env = append(os.Environ(), "DEVICE_FILE="+file, "DEVICE_URL="+srv.URL, fmt.Sprint("DEVICE_ROUND=", round))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := 1 + 3*round // after which it is killed, whatever it does then
		if round%3 > 0 {
			lines = -1
			victims <- victim{cmd.Process.Kill, round%3 == 1}
		}
		for in := bufio.NewScanner(out); in.Scan(); {
			origin, doc, ok := strings.Cut(strings.TrimPrefix(in.Text(), "stored "), " ")
			switch {
			case strings.HasPrefix(in.Text(), "stored ") && ok:
				stored[origin] = doc
			case strings.HasPrefix(in.Text(), "wrong "):
				t.Error(in.Text())
			}
			if lines--; lines == 0 {
				cmd.Process.Kill()
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
	}

	c := client.Config{URL: srv.URL, Storage: client.File(file), HTTP: srv.Client(), Login: ann}
	c.Merge = func(origin string, local, remote json.RawMessage) json.RawMessage {
		t.Errorf("its own %s is taken for somebody else's: %s", local, remote)
		return local
	}
	last := open(t, c)
	sync(t, last)
	c.Storage = nil
	fresh := open(t, c)
	sync(t, fresh)
	if len(stored) < 12 {
		t.Errorf("only %d documents were stored", len(stored))
	}
	for origin, doc := range stored {
		// What was being stored when it was killed may be there, and is newer.
		if got := string(fresh.Get(origin)); got < doc || got != string(last.Get(origin)) {
			t.Errorf("stored was %s, the server has %s, and the device %s", doc, got, last.Get(origin))
		}
	}
	if all, err := os.ReadDir(dir); err != nil || len(all) != 1 {
		t.Errorf("%v, %v: want the file alone", all, err)
	}
}

func ann(context.Context) (assertion, audience string, err error) {
	return "ann@example.com?a=test", "test", nil
}

// beDevice changes and syncs until it is killed.
func beDevice(t *testing.T, url, file string) {
	d := open(t, client.Config{
		URL: url, Storage: client.File(file), Login: ann,
		Merge: func(origin string, local, remote json.RawMessage) json.RawMessage {
			fmt.Printf("wrong %s was merged with %s\n", local, remote)
			return local
		},
	})
	for n := range 1000 {
		origin := fmt.Sprint("app", n%20)
		doc := fmt.Sprintf(`{"origin":"%s","round":"%2s","n":"%4d"}`, origin, os.Getenv("DEVICE_ROUND"), n) // later ones sort higher
		if err := d.Set(t.Context(), json.RawMessage(doc)); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("stored %s %s\n", origin, doc)
		if n%4 == 3 {
			if _, err := d.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
