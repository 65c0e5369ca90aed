package backoff

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Defaults of [Poller]: those of the original App Sync client.
const (
	defaultPollEvery = 5 * time.Minute
	defaultPollMost  = time.Hour
)

// A Poller calls a function again and again, as often as it likes when all is
// well, less often when the function fails, and no more often than the service
// asks, if the function's requests go through a [Transport].
type Poller struct {
	// Poll is what is done. It is never called twice at the same time. Its
	// context is [Deferrable], unless it was asked for by Soon.
	//
	// An error that is a [*WaitError] means that the service asked for a pause:
	// the next call is no earlier than that ends. After any other error the
	// time between calls doubles, up to Most, until one returns nil.
	Poll func(ctx context.Context) error

	// Every is the time from the end of one call to the start of the next. 0
	// means 5 minutes.
	Every time.Duration

	// Most is the longest that Every becomes when calls fail. 0 means an hour.
	Most time.Duration

	// Jitter makes the time between calls longer by up to this share, so that
	// clients started together drift apart. 0 means 0.25; negative means none.
	Jitter float64

	once sync.Once
	soon chan struct{}
}

// Run polls, at once and then again and again, until ctx is done. It returns
// ctx's error. One Run at a time.
func (p *Poller) Run(ctx context.Context) error {
	p.once.Do(p.prepare)
	failures, urgent := 0, false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		case <-p.soon:
			urgent = true
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		poll := ctx
		if !urgent {
			poll = Deferrable(ctx)
		}
		urgent = false
		err := p.Poll(poll)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var held *WaitError
		switch {
		case err == nil:
			failures = 0
			timer.Reset(p.pause(0))
		case errors.As(err, &held):
			timer.Reset(max(time.Until(held.NotBefore), p.pause(failures)))
		default:
			failures++
			timer.Reset(p.pause(failures))
		}
	}
}

// Soon makes Run call Poll now, or as soon as the call under way has ended: the
// user has changed something or asks for news. Such a call is not [Deferrable].
// Soon does not wait. It may be called by several goroutines at once.
func (p *Poller) Soon() {
	p.once.Do(p.prepare)
	select {
	case p.soon <- struct{}{}:
	default: // somebody has asked already
	}
}

func (p *Poller) prepare() { p.soon = make(chan struct{}, 1) }

// pause is the time to the next call after so many failures in a row.
func (p *Poller) pause(failures int) time.Duration {
	every, most := p.Every, p.Most
	if every <= 0 {
		every = defaultPollEvery
	}
	if most <= 0 {
		most = defaultPollMost
	}
	for range failures {
		if every >= most {
			break
		}
		every = min(2*every, most)
	}
	switch {
	case p.Jitter < 0:
		return every
	case p.Jitter == 0:
		return every + time.Duration(clientJitter*rand.Float64()*float64(every))
	}
	return every + time.Duration(p.Jitter*rand.Float64()*float64(every))
}
