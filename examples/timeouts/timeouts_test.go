package main

import (
	"testing"
	"time"

	"github.com/brownout-go/brownout/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// Each backend hung, slow, reset and refused: every request is answered, 503 with
// Retry-After at worst; no more calls are stuck than there are slots; and service returns
// by itself.
func TestRealBackends(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			s, err := newService(k, k.start(t))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.close(); err != nil {
					t.Error(err)
				}
			}()
			for _, m := range mishaps {
				r, err := s.try(m, 10, 5)
				if err != nil {
					t.Fatalf("%s: %v", m.name, err)
				}
				t.Logf("%-7s %v", m.name, r)
				if r.other != nil {
					t.Errorf("%s: %d answers were neither 200 nor 503: %s", m.name, len(r.other), r.other[0])
				}
				if r.refused == 0 {
					t.Errorf("%s: the fault had no effect", m.name)
				}
				if r.stuck > slots {
					t.Errorf("%s: %d calls stuck at once, %d allowed", m.name, r.stuck, slots)
				}
				// The backend does not answer for as long as it is broken: without limits
				// this would be for ever. How late a loaded machine is says nothing.
				if r.slowest > time.Minute {
					t.Errorf("%s: an answer took %v, with a budget of %v", m.name, r.slowest, budget)
				}
			}
			if got := s.backend.Stats(); got.InFlight != 0 || got.Queued != 0 || got.Abandoned != 0 {
				t.Errorf("afterwards: %+v", got)
			}
		})
	}
}
