package adaptive

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Whatever it is configured with, fed with and however long nobody asks: clients are told
// something within Min and Max, or nothing, and the controller knows numbers.
func TestEverythingStaysWithinBounds(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		pick := func(of ...float64) float64 { return of[rng.IntN(len(of))] }
		c := Config{
			Rate: pick(0, 1e-9, 1, 1e300), Jitter: pick(0, 0.25, 10), Seed: 1,
			MaxShed: pick(0, 0.5, 1), ShedFloor: pick(0, 1e9), ShedRatio: pick(0, 1, math.MaxFloat64),
			Min: time.Duration(pick(0, 1, 1e9, 3600e9)), Start: time.Duration(pick(0, 1, 9e18)),
			InFlight: int(pick(0, 1, 1000)), Latency: time.Duration(pick(0, 1, 1e9)),
		}
		c.Max = time.Duration(pick(0, float64(c.Min), 48*3600e9, 9e18))
		if rng.IntN(2) == 0 {
			c.Load = func() float64 {
				return pick(0, 1, 2, -1, math.NaN(), math.Inf(1), math.SmallestNonzeroFloat64, math.MaxFloat64)
			}
		}
		ctl, err := New(c)
		if err != nil {
			continue // it has no signal at all
		}
		now := time.Unix(1e9, 0)
		for range 300 {
			now = now.Add(time.Duration(pick(0, 1, 1e6, 1e8, 1e9, 3600e9, 1e17)))
			v := ctl.CurrentAt(now)
			if !(v.Unavailable >= 0 && v.Unavailable <= c.MaxShed) || v.Interval < 0 || v.Interval > ctl.config.Max || v.Interval > 0 && v.Interval < c.Min {
				t.Fatalf("seed %d, %+v: clients are told %+v", seed, c, v)
			}
			s := ctl.StatusAt(now)
			if !(s.Rate >= 0 && s.Measured >= 0 && s.Load >= 0) || s.Interval < 0 {
				t.Fatalf("seed %d, %+v: %+v", seed, c, s)
			}
			if rng.IntN(3) == 0 {
				ctl.begin(now)
				if rng.IntN(2) == 0 {
					ctl.end(now.Add(-time.Second), rng.IntN(2) == 0)
				}
			}
		}
	}
}
