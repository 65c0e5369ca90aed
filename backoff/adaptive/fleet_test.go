package adaptive

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// fleet is clients that poll a controller in virtual time: for each second,
// those that come in it.
type fleet struct {
	now     int // in seconds
	rng     *rand.Rand
	due     map[int][]client
	every   time.Duration // what they do when they are told nothing
	jitter  float64       // what they add by themselves
	deaf    float64       // the share that ignores what it is told
	arrived float64       // requests in the second before
}

type client struct{ deaf, new bool }

func newFleet() *fleet {
	return &fleet{rng: rand.New(rand.NewPCG(1, 2)), due: map[int][]client{}, every: time.Minute}
}

// join adds clients that make their first request within d.
func (f *fleet) join(n int, d time.Duration) {
	for range n {
		at := f.now + int(f.rng.Float64()*d.Seconds())
		f.due[at] = append(f.due[at], client{deaf: f.rng.Float64() < f.deaf, new: true})
	}
}

// leave takes away a share of the clients.
func (f *fleet) leave(share float64) {
	for at, clients := range f.due {
		f.due[at] = slices.DeleteFunc(clients, func(client) bool { return f.rng.Float64() < share })
	}
}

// run lets d pass, and returns the requests of each second, first ones apart.
func (f *fleet) run(c *Controller, d time.Duration) (counts []int) {
	for range int(d.Seconds()) {
		clients := f.due[f.now]
		delete(f.due, f.now)
		n := 0
		for i, cl := range clients {
			if !cl.new {
				n++
			}
			at := time.Unix(int64(f.now), int64(i)*int64(time.Second)/int64(len(clients)))
			wait := f.every.Seconds()
			if v := c.CurrentAt(at); v.Interval > 0 && !cl.deaf {
				wait = float64(v.Seconds())
			}
			next := f.now + max(1, int(wait*(1+f.jitter*f.rng.Float64())))
			f.due[next] = append(f.due[next], client{deaf: cl.deaf})
		}
		f.arrived = float64(len(clients))
		counts = append(counts, n)
		f.now++
	}
	return counts
}

func mean(counts []int) float64 {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return float64(sum) / float64(len(counts))
}

// peak is the highest rate over any ten seconds: what is random about single
// seconds is no wave.
func peak(counts []int) (most float64) {
	for i := range len(counts) - 10 {
		most = max(most, mean(counts[i:i+10]))
	}
	return most
}

// settled fails the test unless the counts are at the rate, without waves.
func settled(t *testing.T, what string, counts []int, rate float64) {
	t.Helper()
	if m := mean(counts); math.Abs(m-rate) > 0.05*rate || peak(counts) > 1.3*m {
		t.Errorf("%s: %.1f requests a second on average, %.0f at the peak, want %.0f", what, m, peak(counts), rate)
	}
	t.Logf("%s: mean %.1f peak %.0f", what, mean(counts), peak(counts))
}

func controller(t *testing.T, c Config) *Controller {
	t.Helper()
	ctl, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return ctl
}

func TestAFleetOfUnknownSizeArrivesAtTheRate(t *testing.T) {
	for name, c := range map[string]struct{ jitter, deaf float64 }{
		"that obeys exactly":     {},
		"with jitter":            {jitter: 0.25},
		"of which some are deaf": {jitter: 0.25, deaf: 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			const rate = 200
			f := newFleet()
			f.jitter, f.deaf = c.jitter, c.deaf
			ctl := controller(t, Config{Rate: rate, Min: f.every, Max: 2 * time.Hour, Jitter: f.jitter, Seed: 1})
			f.join(24_000, time.Second) // all at once: 2 minutes' worth
			const interval = 2 * time.Minute
			f.run(ctl, 2*interval+f.every)
			settled(t, "start", f.run(ctl, 4*interval), rate)
			f.join(24_000, time.Minute)
			f.run(ctl, 3*2*interval)
			settled(t, "doubled", f.run(ctl, 4*interval), rate)
			f.leave(0.5)
			f.run(ctl, 3*2*interval)
			settled(t, "halved", f.run(ctl, 4*interval), rate)
		})
	}
}

func TestARateIsFoundFromLoad(t *testing.T) {
	f := newFleet()
	f.jitter = 0.25
	capacity := 200.0
	ctl := controller(t, Config{Min: f.every, Max: 2 * time.Hour, Jitter: f.jitter, Seed: 1, Load: func() float64 { return f.arrived / capacity }})
	f.join(24_000, 2*time.Second)
	const interval = 2 * time.Minute
	f.run(ctl, 3*interval)
	settled(t, "start", f.run(ctl, 2*interval), capacity)
	capacity = 100
	f.run(ctl, 2*interval)
	settled(t, "dropped", f.run(ctl, 2*interval), capacity)
	capacity = 200
	f.run(ctl, 3*2*interval)
	settled(t, "recovered", f.run(ctl, 2*interval), capacity)
}
