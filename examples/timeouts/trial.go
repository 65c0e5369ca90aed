package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/brownout-go/brownout/internal/wait"
)

// A result is what clients saw of a service while its backend was broken.
type result struct {
	ok      int           // answered 200
	refused int           // answered 503 with Retry-After
	other   []string      // anything else
	slowest time.Duration // of all answers
	stuck   int64         // calls to the backend under way at once, at most
	healed  time.Duration // from the end of the fault to the tenth 200 in a row; 0 is never
}

func (r result) String() string {
	return fmt.Sprintf("%4d x 200  %4d x 503  slowest %3d ms  stuck %d  well again in %d ms",
		r.ok, r.refused, r.slowest.Milliseconds(), r.stuck, r.healed.Milliseconds())
}

// try lets clients call the service, n times each, while its backend is broken, and then
// waits for it to be well again.
func (s *service) try(m mishap, clients, n int) (result, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	if healed, err := s.heal(client); healed == 0 {
		return result{}, fmt.Errorf("not well to begin with: %w", err)
	}
	mend, err := s.suffer(m)
	if err != nil {
		return result{}, err
	}
	var r result
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range n {
				took, code, what := ask(client, s.url)
				stuck := s.backend.Stats().InFlight
				mu.Lock()
				r.slowest, r.stuck = max(r.slowest, took), max(r.stuck, stuck)
				switch code {
				case http.StatusOK:
					r.ok++
				case http.StatusServiceUnavailable:
					r.refused++
				default:
					r.other = append(r.other, what)
				}
				mu.Unlock()
				time.Sleep(5 * time.Millisecond) // so that not all the tries are spent on one moment
			}
		})
	}
	wg.Wait()
	mend()
	r.healed, err = s.heal(client)
	return r, err
}

// ask returns how long an answer took, its status, and what was wrong with it otherwise.
func ask(client *http.Client, url string) (time.Duration, int, string) {
	start := time.Now()
	res, err := client.Get(url)
	if err != nil {
		return time.Since(start), 0, err.Error()
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return time.Since(start), 0, err.Error()
	}
	if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		return time.Since(start), 0, "503 without Retry-After"
	}
	return time.Since(start), res.StatusCode, res.Status
}

// heal waits until ten answers in a row are 200.
func (s *service) heal(client *http.Client) (time.Duration, error) {
	start, last := time.Now(), ""
	if !wait.Until(time.Minute, func() bool {
		for range 10 {
			if _, code, what := ask(client, s.url); code != http.StatusOK {
				last = what
				return false
			}
		}
		return true
	}) {
		return 0, errors.New("the last answer was " + last)
	}
	return max(time.Since(start), 1), nil
}
