package control

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestConcurrentCalls has several callers change everything at once, with
// traffic and readers of events. What it looks for is found by the race
// detector, by the leak check, and by a Close that returns.
func TestConcurrentCalls(t *testing.T) {
	f := newFixture(t)
	up := f.proxy("db").Upstream
	ctx, cancel := context.WithCancel(t.Context())
	var background, callers sync.WaitGroup
	for range 3 {
		req, err := http.NewRequestWithContext(ctx, "GET", f.url+"/v1/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		background.Go(func() {
			defer resp.Body.Close()
			if resp.Header.Get("Content-Type") == "text/event-stream" {
				_, _ = io.Copy(io.Discard, resp.Body)
			}
		})
	}
	for i := range 6 {
		callers.Go(func() {
			rng := rand.New(rand.NewPCG(3, uint64(i)))
			own := fmt.Sprintf("p%d", i)
			for range 60 {
				calls := [][3]string{
					{"POST", "/proxies", `{"name":"` + own + `","upstream":"` + up + `"}`},
					{"DELETE", "/proxies/" + own, ""},
					{"POST", "/proxies/db/toxics", `{"type":"timeout","name":"` + own + `","toxicity":0.3}`},
					{"DELETE", "/proxies/db/toxics/" + own, ""},
					{"PATCH", "/proxies/db", `{"enabled":false}`},
					{"POST", "/reset", ""},
					{"PUT", planPath, `{"rules":[{"chance":0.5,"fault":{"kind":"delay","for":"1ms"}}]}`},
					{"PUT", "/v1/scenario", `{"steps":[{"at":"1ms","plans":{"db":{}}}],"repeat":"2ms"}`},
					{"DELETE", "/v1/scenario", ""},
					{"GET", "/metrics", ""},
					{"GET", "/v1/proxies", ""},
					{"PUT", "/behavior", `{"name":"abort"}`},
					{"PUT", "/behavior", `{"name":"dummy"}`},
					{"POST", "/populate", `[{"name":"` + own + `","listen":"127.0.0.1:0","upstream":"` + up + `"}]`},
				}
				c := calls[rng.IntN(len(calls))]
				req, err := http.NewRequest(c[0], f.url+c[1], strings.NewReader(c[2]))
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				// Others may have taken or made what is asked for; nothing else
				// can go wrong.
				if s := resp.StatusCode; s >= 300 && s != 404 && s != 409 {
					t.Errorf("%v: %d %s", c, s, text)
				}
			}
		})
		background.Go(func() { // traffic, which is cut again and again
			for ctx.Err() == nil {
				for _, p := range f.Proxies() {
					if !p.Disabled {
						_ = touch(p.Listen)
					}
				}
			}
		})
	}
	callers.Wait()
	cancel()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	background.Wait()
}
