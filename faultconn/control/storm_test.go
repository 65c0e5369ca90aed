package control

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPlanStorm changes plans, toxics and behaviors ten thousand times while
// 200 connections pump data, by rules that neither corrupt nor break them. Each
// call answers, and each connection gets every byte in order. Under the race
// detector, which makes the pumps take all of the machine, there are fewer.
func TestPlanStorm(t *testing.T) {
	changes, clients := 10_000, 200
	if testing.Short() || raceDetector {
		changes, clients = 500, 40
	}
	f := newFixture(t)
	address := f.proxy("db").Listen
	var stop atomic.Bool
	var passed atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	for i := range clients {
		wg.Go(func() {
			n, err := pump(address, uint64(i), &stop)
			passed.Add(n)
			if err != nil {
				stop.Store(true)
				errs <- fmt.Errorf("connection %d: after %d bytes: %w", i, n, err)
			}
		})
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	defer transport.CloseIdleConnections()
	api := &http.Client{Transport: transport}
	var took []time.Duration
	call := func(method, path, body string, want int) {
		req, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		resp, err := api.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		took = append(took, time.Since(start))
		if resp.StatusCode != want {
			t.Errorf("%s %s %s: %d: %s", method, path, body, resp.StatusCode, text)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := 0; len(took) < changes && !stop.Load(); i++ {
		switch i % 5 {
		case 0:
			call("PUT", planPath, `{"seed":1,"rules":[{"chance":0.5,"fault":{"kind":"delay","for":"20ms","jitter":"10ms"}},{"chance":0.3,"fault":{"kind":"slice","size":500}}]}`, 200)
		case 1:
			call("POST", "/proxies/db/toxics", fmt.Sprintf(`{"type":"bandwidth","stream":"upstream","toxicity":0.5,"attributes":{"rate":%d}}`, rng.IntN(500)), 200)
		case 2:
			call("PUT", planPath, `{"rules":[{"name":"stuck","chance":0.4,"fault":{"kind":"hang"}}]}`, 200)
		case 3:
			call("DELETE", "/proxies/db/toxics/bandwidth_upstream", "", 204)
		case 4:
			call("PUT", "/behavior", `{"name":"delay","sleep":0.005}`, 200)
			call("PUT", "/behavior", `{"name":"dummy"}`, 200)
		}
	}
	stop.Store(true)
	call("DELETE", planPath, "", 200)
	call("POST", "/reset", "", 204)
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if passed.Load() == 0 {
		t.Error("nothing has passed")
	}
	slices.Sort(took)
	t.Logf("%d calls: median %v, p99 %v, max %v; %d connections moved %d MiB", len(took),
		took[len(took)/2], took[len(took)*99/100], took[len(took)-1], clients, passed.Load()>>20)
}

// pump sends random bytes to an echo until it is told to stop, and compares
// what comes back.
func pump(address string, seed uint64, stop *atomic.Bool) (int64, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	sent := sha256.New()
	done := make(chan error, 1)
	var total int64
	go func() {
		// Paced, so that it is the changes that keep the machine busy.
		pace := time.NewTicker(40 * time.Millisecond)
		defer pace.Stop()
		rng := rand.NewChaCha8([32]byte{byte(seed)})
		chunk := make([]byte, 2<<10)
		for ; !stop.Load(); <-pace.C {
			_, _ = rng.Read(chunk)
			sent.Write(chunk)
			if _, err := c.Write(chunk); err != nil {
				done <- err
				return
			}
		}
		done <- c.(*net.TCPConn).CloseWrite()
	}()
	got := sha256.New()
	total, err = io.Copy(got, c)
	if werr := <-done; err == nil {
		err = werr
	}
	if err == nil && !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
		err = fmt.Errorf("the bytes that came back are not those that were sent")
	}
	return total, err
}
