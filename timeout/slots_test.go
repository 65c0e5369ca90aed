package timeout_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// Handlers that hang keep their slots, although their clients have been answered.
func TestSlots(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{Slots: 3, Queue: 2, QueueWait: 50 * time.Millisecond})
		serve(l.Handler(http.HandlerFunc(hang)))
		var mu sync.Mutex
		took := map[time.Duration]int{}
		round := func() {
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					start := time.Now()
					res, err := s.client.Get("http://site/")
					if err != nil {
						s.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
					mu.Lock()
					defer mu.Unlock()
					if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
						s.Errorf("got %v", res.Status)
					}
					took[time.Since(start)]++
				})
			}
			wg.Wait()
		}
		round()
		if took[total] != 3 || took[50*time.Millisecond] != 2 || took[0] != 5 {
			s.Errorf("first round: %v", took)
		}
		clear(took)
		round()
		if took[50*time.Millisecond] != 2 || took[0] != 8 {
			s.Errorf("second round: %v", took)
		}
		if got := l.Stats(); got.InFlight != 3 || got.Abandoned != 3 || got.Refused != 17 || got.Queued != 0 {
			s.Errorf("%+v", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if res, _, took := s.get("/"); res.StatusCode != 503 || took != total {
			s.Errorf("service did not return: %v after %v", res.Status, took)
		}
	})
}

// 10,000 requests whose backend hangs: ten calls are stuck, everyone else has a 503
// within the queue wait and 10 ms, and the last thousand take no more memory than the
// first.
func TestHungBackendUnderManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 20 * time.Millisecond
		b := backend(t, timeout.BackendConfig{Call: 100 * time.Millisecond, Slots: 10, Queue: 50, QueueWait: wait})
		l := limiter(t, timeout.Config{})
		h := l.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			return b.Do(r.Context(), func(context.Context) error { time.Sleep(time.Hour); return nil })
		})
		var wg sync.WaitGroup
		var late, wrong atomic.Int64
		thousand := func() uint64 {
			for range 1000 {
				wg.Go(func() {
					start := time.Now()
					w := httptest.NewRecorder()
					h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
					if w.Code != 503 || w.Header().Get("Retry-After") == "" {
						wrong.Add(1)
					}
					if time.Since(start) > wait+10*time.Millisecond {
						late.Add(1)
					}
				})
				time.Sleep(100 * time.Microsecond)
			}
			wg.Wait()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		first := thousand()
		if late.Load() != 10 { // those that got a slot
			t.Errorf("%d were late", late.Load())
		}
		var last uint64
		for range 9 {
			last = thousand()
		}
		if late.Load() != 10 || wrong.Load() != 0 {
			t.Errorf("%d were late, %d not answered 503 with Retry-After", late.Load(), wrong.Load())
		}
		if got := b.Stats(); got.Abandoned != 10 || got.InFlight != 10 {
			t.Errorf("%+v", got)
		}
		t.Logf("heap after the first thousand %d KiB, after the last %d KiB", first>>10, last>>10)
		if last > first+1<<20 {
			t.Errorf("the heap grew from %d to %d bytes", first, last)
		}
		if err := b.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSilentReturnAfterTheDeadline(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "image/png")
			<-r.Context().Done()
		})))
		res, body, took := s.get("/")
		if res.StatusCode != 503 || took != 190*time.Millisecond || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" || body == "" {
			s.Errorf("got %v %q after %v", res.Status, body, took)
		}
		if res.Close {
			s.Error("the connection could have been kept")
		}
		synctest.Wait()
		if got := l.Stats(); got != (timeout.Stats{Timeouts: 1}) {
			s.Errorf("%+v", got)
		}
	})
}

// The wait for a slot is part of the budget: the answer is due Total after the arrival,
// for the one who waited too.
func TestQueueIsPartOfTheBudget(t *testing.T) {
	both(t, func(s *site, serve func(http.Handler)) {
		const wait = 50 * time.Millisecond
		l := limiter(s.T, timeout.Config{Slots: 1, Queue: 1, QueueWait: 2 * wait})
		var handlers atomic.Int64
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if handlers.Add(1) == 1 {
				time.Sleep(wait)
				return
			}
			if left, _ := timeout.Remaining(r.Context()); left != 190*time.Millisecond-wait {
				s.Errorf("%v left for the handler", left)
			}
			hang(w, r)
		})))
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { s.get("/") })
		synctest.Wait() // it has the slot
		if res, _, took := s.get("/"); res.StatusCode != 503 || took != total {
			s.Errorf("got %v after %v, want it after %v", res.Status, took, total)
		}
	})
}

// stalled sends a request whose body does not come, and returns the answer.
func (s *site) stalled() (res *http.Response, body string, took time.Duration) {
	s.Helper()
	c := s.dial()
	defer c.Close()
	start := time.Now()
	c.SetReadDeadline(start.Add(time.Minute))
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: site\r\nContent-Length: 10\r\n\r\nabc")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		s.Errorf("no answer after %v: %v", time.Since(start), err)
		return &http.Response{}, "", time.Since(start)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		s.Error(err)
	}
	return res, string(all), time.Since(start)
}

// The server reads the rest of a request before it sends the answer. If that does not
// come, whoever is refused must not wait for longer than a request may.
func TestRefusalOfAStalledUpload(t *testing.T) {
	on(t, 1, func(s *site, serve func(http.Handler)) {
		l := limiter(s.T, timeout.Config{Slots: 1})
		serve(l.Handler(http.HandlerFunc(hang)))
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { s.get("/") })
		synctest.Wait() // it has the slot
		if res, _, took := s.stalled(); res.StatusCode != 503 || took > total || !res.Close {
			s.Errorf("got %v after %v", res.Status, took)
		}
	})
}

// A handler that fails without having read the request still gets its answer out.
func TestErrorOnAStalledUpload(t *testing.T) {
	on(t, 1, func(s *site, serve func(http.Handler)) {
		sorry := strings.Repeat("sorry ", 10_000)
		l := limiter(s.T, timeout.Config{Respond: func(w http.ResponseWriter, r *http.Request, err *timeout.Error) {
			io.WriteString(w, sorry)
		}})
		for _, late := range []bool{false, true} {
			h := l.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
				if late {
					<-r.Context().Done()
				}
				return &timeout.Error{Backend: "ldap", Reason: timeout.ReasonFull}
			})
			if late {
				s.server.Handler = h
			} else {
				serve(h)
			}
			if res, body, took := s.stalled(); res.StatusCode != 503 || took > total || !res.Close || body != sorry {
				s.Errorf("got %v, %d bytes after %v", res.Status, len(body), took)
			}
		}
	})
}

// A handler that obeyed its context is answered for; with more than the server keeps
// back until it has read the rest of the request, and before the deadline does it too.
func TestSilentReturnFromAStalledUpload(t *testing.T) {
	on(t, 1, func(s *site, serve func(http.Handler)) {
		sorry := strings.Repeat("sorry ", 10_000)
		l := limiter(s.T, timeout.Config{Respond: func(w http.ResponseWriter, r *http.Request, err *timeout.Error) {
			io.WriteString(w, sorry)
		}})
		serve(l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })))
		if res, body, took := s.stalled(); res.StatusCode != 503 || took > total || !res.Close || body != sorry {
			s.Errorf("got %v, %d bytes after %v", res.Status, len(body), took)
		}
	})
}
