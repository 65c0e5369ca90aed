package adaptive

import (
	"math"
	"sync"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// A Controller computes what clients should be told from what it sees of their
// requests. It starts no goroutines. It may be used by several goroutines at
// once.
type Controller struct {
	config Config

	mu       sync.Mutex // never held while anything waits
	queue    queue
	rate     rate
	shed     shedder
	inFlight int
	latency  average

	// Since the last update, and what it came to. Rate and load are averaged
	// alike, so that their quotient means something while both change.
	updated        time.Time
	requests       int
	measured, load average
	signals        signals
}

// Status is what a [Controller] knows, for a page or for the logs.
type Status struct {
	// Interval is what the next client would be told; Min or less is nothing.
	Interval time.Duration

	// Measured is the requests a second, and Rate how many are thought to be
	// bearable: +Inf if nothing has said otherwise yet.
	Measured, Rate float64

	// Load is the highest of the signals; 1 is all that can be borne.
	Load float64

	// Shed is the share of requests that is refused.
	Shed float64

	// InFlight is how many requests the handler has.
	InFlight int
}

// maxLoad is more than any service has had to bear, and little enough to be added up.
const maxLoad = 1e9

// smooth is over how long rate and load are averaged: long enough that what is
// random about arrivals does not look like a lack of capacity, and short
// compared with the intervals that clients are told.
const smooth = 10 * time.Second

// New returns a controller. The error says which field of the Config is wrong.
func New(c Config) (*Controller, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	ctl := &Controller{
		config:   c,
		queue:    newQueue(&c),
		shed:     newShedder(),
		latency:  average{over: 5 * time.Second},
		measured: average{over: smooth},
		load:     average{over: smooth},
	}
	ctl.rate = newRate(&ctl.config)
	if c.Start > 0 {
		ctl.queue.last = time.Now().Add(ctl.queue.comes(min(c.Start, c.Max)))
	}
	return ctl, nil
}

// Current is for [backoff.Policy].Current. Each call is a request and takes an
// appointment, so it must be called once a request, as a Policy does. The Value
// is zero while clients may come as they like.
func (c *Controller) Current() backoff.Value { return c.CurrentAt(time.Now()) }

// CurrentAt is Current at a time of the caller's choice, for simulations. Times
// must not go backwards.
func (c *Controller) CurrentAt(now time.Time) backoff.Value {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.update(now)
	c.requests++
	c.shed.asked.add(now, 1)
	return backoff.Value{
		Interval:    c.queue.next(now, c.rate.now),
		Unavailable: c.shed.share,
	}
}

// Status returns what the controller knows.
func (c *Controller) Status() Status { return c.StatusAt(time.Now()) }

// StatusAt is Status at a time of the caller's choice, for simulations.
func (c *Controller) StatusAt(now time.Time) Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.update(now)
	return Status{
		Interval: c.queue.length(now),
		Measured: c.measured.at(now),
		Rate:     c.rate.now,
		Load:     max(c.signals.proportional, c.signals.others),
		Shed:     c.shed.share,
		InFlight: c.inFlight,
	}
}

// update looks at the signals, ten times a second at most.
func (c *Controller) update(now time.Time) {
	if c.updated.IsZero() {
		c.updated = now
	}
	elapsed := now.Sub(c.updated)
	if elapsed < tick {
		return
	}
	c.measured.add(now, float64(c.requests)/elapsed.Seconds())
	c.updated, c.requests = now, 0
	c.signals = c.look(now)
	measured := c.measured.at(now)
	c.rate.update(measured, c.signals, c.queue.length(now), elapsed)
	if c.config.MaxShed > 0 {
		c.shed.update(now, &c.config, measured)
	}
}

// look reads the signals.
func (c *Controller) look(now time.Time) signals {
	var s signals
	if f := c.config.Load; f != nil {
		if load := f(); load >= 0 && !math.IsInf(load, 1) { // else it is broken
			c.load.add(now, min(load, maxLoad))
		}
		s.proportional = c.load.at(now)
	}
	if n := c.config.InFlight; n > 0 {
		s.others = float64(c.inFlight) / float64(n)
	}
	if d := c.config.Latency; d > 0 {
		s.others = max(s.others, c.latency.at(now)/d.Seconds())
	}
	return s
}
