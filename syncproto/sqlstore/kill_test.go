package sqlstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/brownout-go/brownout/internal/testserver"
	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/browserid"
)

// serveEnv names the database of a test process that is to be a server, and
// cacheEnv its memcached, if it is to be one of a service under test.
const (
	serveEnv = "SQLSTORE_TEST_SERVE"
	cacheEnv = "SQLSTORE_TEST_MEMCACHED"
)

// serve is the server: the protocol over the store, as a program would have
// it. It says where it listens and goes on until it is killed, or until its
// parent has gone.
func serve(dsn string) {
	ctx := context.Background()
	s, err := Open(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}
	secret, err := s.Secret(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var h http.Handler
	sessions := &syncproto.SignedSessions{Keys: [][]byte{secret}}
	if cache := os.Getenv(cacheEnv); cache != "" {
		h, _, err = historyServer(s, sessions, cache, uint64(os.Getpid()))
	} else {
		h, err = syncproto.New(syncproto.Config{Store: s, Verifier: browserid.Development{}, Development: true, Sessions: sessions})
	}
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	log.Fatal(http.Serve(l, h))
}

// child is a running server process.
type child struct {
	t    *testing.T
	cmd  *exec.Cmd
	base string
	once sync.Once
}

// start starts a server and waits until it listens.
func start(t *testing.T, dsn string, env ...string) *child {
	t.Helper()
	c, out := spawn(t, dsn, env...)
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server did not say where it listens: %v", err)
	}
	c.base = "http://" + strings.TrimSpace(addr)
	return c
}

// spawn starts a server that will say on out where it listens.
func spawn(t *testing.T, dsn string, env ...string) (c *child, out io.Reader) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), serveEnv+"="+dsn), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err = cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c = &child{t: t, cmd: cmd}
	t.Cleanup(func() { in.Close(); c.kill() })
	return c, out
}

// kill is kill -9: the process does nothing more.
func (c *child) kill() {
	c.once.Do(func() {
		if err := c.cmd.Process.Kill(); err != nil {
			c.t.Errorf("kill: %v", err)
		}
		_ = c.cmd.Wait() // killed
	})
}

// device is a client with a session.
type device struct {
	http *http.Client
	auth string
	path string
}

func login(t testing.TB, base, email string) *device {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	d := &device{http: &http.Client{Transport: transport}}
	assertion := browserid.TestAssertion{Email: email, Audience: base}
	res, err := d.http.PostForm(base+"/verify", url.Values{"assertion": {assertion.String()}, "audience": {base}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		URL  string `json:"collection_url"`
		Auth string `json:"http_authorization"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != 200 {
		t.Fatalf("login: status %d, %v", res.StatusCode, err)
	}
	d.auth, d.path = answer.Auth, strings.TrimPrefix(answer.URL, base)
	return d
}

// do returns the body of a 200. The server may be another process than the one
// that the device logged in to.
func (d *device) do(method, base, query string, body []byte) ([]byte, error) {
	req, err := http.NewRequest(method, base+d.path+query, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", d.auth)
	res, err := d.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != 200 {
		err = fmt.Errorf("status %d: %s", res.StatusCode, text)
	}
	return text, err
}

func TestKill(t *testing.T) {
	testKill(t, file(t), 6, func(_ int, c *child) { c.kill() }, func() {})
}

// TestKillPostgres kills, in turns, the server and its database.
func TestKillPostgres(t *testing.T) {
	db := testserver.Postgres(t)
	dsn := postgresDSN(db)
	awake(t, dsn)
	testKill(t, dsn, 4, killInTurns(db), func() { db.Start(); awake(t, dsn) })
}

func TestKillMariaDB(t *testing.T) {
	db := testserver.MariaDB(t)
	testKill(t, mariadbDSN(db), 4, killInTurns(db), db.Start)
}

func killInTurns(db *testserver.Server) func(int, *child) {
	return func(round int, c *child) {
		if round%2 == 0 {
			db.Kill()
		} else {
			c.kill()
		}
	}
}

// testKill crashes something in the middle of a stream of pushes, again and
// again. Every push that was acknowledged is there afterwards, whole; of a push
// without an answer there is all or nothing; times go on increasing.
func testKill(t *testing.T, dsn string, rounds int, crash func(round int, c *child), restore func()) {
	if testing.Short() {
		rounds = 2
	}
	const (
		writers  = 3
		together = 3 // apps in a push
		pushes   = 25
	)
	acknowledged := map[string]bool{} // by prefix of origins
	var mu sync.Mutex
	var devices [writers]*device
	var last syncproto.Time

	for round := range rounds {
		c := start(t, dsn)
		for i := range devices {
			if devices[i] == nil { // sessions outlive the server
				devices[i] = login(t, c.base, fmt.Sprintf("writer%d@example.com", i%2))
			}
		}
		var wg sync.WaitGroup
		var done atomic.Int32
		for i, d := range devices {
			wg.Go(func() {
				for n := 0; ; n++ {
					name := fmt.Sprintf("%d-%d-%d", round, i, n)
					var list []string
					for k := range together {
						list = append(list, fmt.Sprintf(`{"origin":"%s/%d","push":"%s"}`, name, k, name))
					}
					_, err := d.do("POST", c.base, "", []byte("["+strings.Join(list, ",")+"]"))
					if err != nil {
						if done.Load() < pushes {
							t.Errorf("round %d, push %d: %v before the server was killed", round, n, err)
						}
						return
					}
					mu.Lock()
					acknowledged[name] = true
					mu.Unlock()
					if done.Add(1) == pushes {
						crash(round, c) // while the others are at it
					}
				}
			})
		}
		wg.Wait()
		c.kill()
		if t.Failed() {
			return
		}
		restore()
		last = checkRound(t, dsn, round, last, acknowledged, together)
	}
}

// checkRound looks at what a killed server left.
func checkRound(t *testing.T, dsn string, round int, last syncproto.Time, acknowledged map[string]bool, together int) syncproto.Time {
	t.Helper()
	s, err := Open(t.Context(), dsn)
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	defer s.Close()
	var sound string
	if s.dialect.Dialect != SQLite {
		// The others look after themselves.
	} else if err := s.db.QueryRow("PRAGMA integrity_check").Scan(&sound); err != nil || sound != "ok" {
		t.Fatalf("round %d: integrity_check: %s, %v", round, sound, err)
	}
	found := map[string]int{}
	newest := last
	for i := range 2 {
		key := syncproto.Key{User: fmt.Sprintf("writer%d@example.com", i), Collection: "apps"}
		push := map[syncproto.Time]string{}
		fresh := false
		_, err := s.Read(t.Context(), key, 0, 0, func(st syncproto.State) error {
			newest = max(newest, st.Last)
			return nil
		}, func(r syncproto.Record) error {
			var doc struct{ Push string }
			if err := json.Unmarshal(r.Doc, &doc); err != nil {
				return err
			}
			if other, ok := push[r.Time]; ok && other != doc.Push {
				t.Errorf("round %d: pushes %s and %s share the time %v", round, other, doc.Push, r.Time)
			}
			push[r.Time] = doc.Push
			found[doc.Push]++
			// Reads are in order of time: what this round wrote comes after all
			// that earlier rounds did.
			mine := strings.HasPrefix(doc.Push, fmt.Sprint(round, "-"))
			if fresh && !mine {
				t.Errorf("round %d: %s, of an earlier round, has a later time", round, doc.Push)
			}
			fresh = fresh || mine
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for name := range acknowledged {
		if found[name] != together {
			t.Errorf("round %d: push %s was acknowledged, and %d of its %d apps are there", round, name, found[name], together)
		}
	}
	for name, n := range found {
		if n != together {
			t.Errorf("round %d: %d of %d apps of push %s are there", round, n, together, name)
		}
	}
	if newest <= last {
		t.Errorf("round %d: last write at %v, before it was at %v", round, newest, last)
	}
	return newest
}

// TestTenThousandApps: two devices push ten thousand apps between them, and
// have them all after the server was killed and started again.
func TestTenThousandApps(t *testing.T) {
	const total, batch = 10_000, 500
	dsn := file(t)
	c := start(t, dsn)
	devices := [2]*device{login(t, c.base, "ann@example.com"), login(t, c.base, "ann@example.com")}
	var want []string
	for i := 0; i < total; i += batch {
		var list []string
		for n := i; n < i+batch; n++ {
			origin := fmt.Sprintf("https://app%d.example", n)
			want = append(want, origin)
			list = append(list, fmt.Sprintf(`{"origin":%q,"n":%d}`, origin, n))
		}
		if _, err := devices[i/batch%2].do("POST", c.base, "", []byte("["+strings.Join(list, ",")+"]")); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	c.kill()
	c = start(t, dsn)
	for i, d := range devices {
		got, pages, err := pullAll(d, c.base)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("device %d pulled %d apps on %d pages, want the %d pushed", i, len(got), pages, len(want))
		}
	}
}

// pullAll returns the origins of a collection.
func pullAll(d *device, base string) (origins []string, pages int, err error) {
	since := json.Number("0")
	for {
		text, err := d.do("GET", base, "?since="+since.String(), nil)
		if err != nil {
			return nil, pages, err
		}
		var page struct {
			Applications []struct{ Origin string }
			Until        json.Number
			Incomplete   bool
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return nil, pages, err
		}
		pages++
		for _, a := range page.Applications {
			origins = append(origins, a.Origin)
		}
		if !page.Incomplete {
			return origins, pages, nil
		}
		since = page.Until
	}
}
