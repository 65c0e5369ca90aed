package main

import (
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// A policy is one way to tell clients how long to wait.
type policy struct {
	name    string
	current func(*world) func() backoff.Value
	jitter  float64
}

// world is the service and its clients at one moment of virtual time.
type world struct {
	second   int
	part     float64 // of the second that has passed
	capacity float64
	arrived  int // requests in the second before
	rng      *rand.Rand

	// due are the clients that come in each of the coming seconds. They differ
	// in nothing else, so it is enough to count them.
	due []int
}

// horizon is longer than any client waits.
const horizon = 8 * 60 * 60

func (w *world) now() time.Time {
	return time.Unix(int64(w.second), int64(w.part*float64(time.Second)))
}

// load is the signal of a service that knows how busy it is.
func (w *world) load() float64 { return float64(w.arrived) / w.capacity }

func (w *world) come(in int) { w.due[(w.second+in)%horizon]++ }

// simulate returns how many requests the service got in each second, not
// counting the first one of each client, which nothing can prevent.
func simulate(p policy, phases []phase) ([]int, error) {
	w := &world{rng: rand.New(rand.NewPCG(1, 2)), due: make([]int, horizon), capacity: phases[0].capacity}
	middleware, err := backoff.Policy{Current: p.current(w), Jitter: p.jitter, Seed: 1}.Middleware()
	if err != nil {
		return nil, err
	}
	served := 0
	service := middleware(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		if served++; float64(served) > w.capacity {
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	request, err := http.NewRequest("GET", "http://service.example/", nil)
	if err != nil {
		return nil, err
	}

	var counts []int
	for _, phase := range phases {
		w.capacity = phase.capacity
		newcomers := make([]int, 60)
		for i := range newcomers {
			newcomers[i] = phase.joining * (i + 1) / 60
		}
		for second := range int(phase.length.Seconds()) {
			again := w.due[w.second%horizon]
			w.due[w.second%horizon] = 0
			first := 0
			if second < len(newcomers) {
				first = newcomers[second]
				if second > 0 {
					first -= newcomers[second-1]
				}
			}
			served = 0
			for i := range again + first {
				w.part = float64(i) / float64(again+first)
				w.come(w.ask(service, request))
			}
			w.arrived = again + first
			counts = append(counts, again)
			w.second++
		}
	}
	return counts, nil
}

// ask makes one request and returns the seconds until the client's next.
func (w *world) ask(service http.Handler, request *http.Request) int {
	response := answer{header: make(http.Header, 4), code: http.StatusOK}
	service.ServeHTTP(&response, request)
	hint := backoff.ReadHint(&http.Response{StatusCode: response.code, Header: response.header}, w.now())
	wait := max(hint.Refused, hint.Ease, polls).Seconds()
	return int(wait * (1 + jitter*w.rng.Float64()))
}

// answer is an http.ResponseWriter that keeps the header.
type answer struct {
	header http.Header
	code   int
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) Write(p []byte) (int, error) { return len(p), nil }
func (a *answer) WriteHeader(code int)        { a.code = code }
