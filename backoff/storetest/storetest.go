// Package storetest checks that a backoff.Store keeps its contract.
package storetest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/internal/wait"
)

// Run runs the suite as subtests of t. open returns an empty store of the
// test's own each time it is called, and cleans up with t.Cleanup. A failure
// ends with the reason for the rule that was broken.
//
// Stores that write to a real server run it too: it needs about a dozen
// operations a case, and waits only for a value to expire, for one or two
// seconds in a store that keeps whole ones.
func Run(t *testing.T, open func(t *testing.T) backoff.Store) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := &suite{T: t, Store: open(t)}
			c.run(s)
			if t.Failed() {
				t.Logf("the rule: %s", c.because)
			}
		})
	}
}

var cases = []struct {
	name    string
	because string
	run     func(*suite)
}{
	{"empty", "a Source clears the value on ErrNotSet and keeps it on any other error", func(s *suite) {
		s.absent()
	}},
	{"set", "what the operator set is what the fleet is told", func(s *suite) {
		s.set(interval(20 * time.Second))
		s.present(interval(20 * time.Second))
	}},
	{"zero", "\"no backoff\" in so many words is obeyed at once, where a missing value may be an accident", func(s *suite) {
		s.set(backoff.Value{})
		s.present(backoff.Value{})
	}},
	{"long", "what clients make of a long interval is for the policy to decide, not for the store", func(s *suite) {
		s.set(interval(30 * 24 * time.Hour))
		s.present(interval(30 * 24 * time.Hour))
	}},
	{"fraction", "rounding down would tell clients less than the operator promised", func(s *suite) {
		s.set(interval(1500 * time.Millisecond))
		s.present(interval(1500 * time.Millisecond))
	}},
	{"all fields", "half a value, an interval for everyone where a tenth was meant, is worse than none", func(s *suite) {
		s.set(full())
		s.present(full())
	}},
	{"shedding alone", "requests may be refused without an interval for the others", func(s *suite) {
		s.set(backoff.Value{Unavailable: 0.5, Note: "test"})
		s.present(backoff.Value{Unavailable: 0.5, Note: "test"})
	}},
	{"replace", "Set replaces the whole value: a note or an expiry must not outlive what it was said of", func(s *suite) {
		s.set(full())
		s.set(interval(20 * time.Second))
		s.present(interval(20 * time.Second))
		s.set(full())
		s.present(full())
		same := interval(full().Interval)
		s.set(same)
		s.present(same)
	}},
	{"delete", "a deleted value is gone, all of it, whatever is set afterwards", func(s *suite) {
		s.set(full())
		s.del()
		s.absent()
		s.set(interval(full().Interval))
		s.present(interval(full().Interval))
	}},
	{"delete nothing", "two operators who delete at the same time have both done what they wanted", func(s *suite) {
		s.del()
		s.del()
		s.absent()
	}},
	{"expired", "an operator who has said until when need not be there then", func(s *suite) {
		s.set(backoff.Value{Interval: 20 * time.Second, Until: time.Now().Add(50 * time.Millisecond)})
		if !wait.Until(5*time.Second, func() bool {
			_, err := s.Store.Get(s.Context())
			return errors.Is(err, backoff.ErrNotSet)
		}) {
			s.Errorf("a value is still there, seconds after its Until")
		}
	}},
	{"invalid", "a value that means nothing must be found when it is set, not when the site is in trouble", func(s *suite) {
		s.set(interval(20 * time.Second))
		for _, v := range []backoff.Value{
			{Interval: -time.Second},
			{Probability: 1.1},
			{Unavailable: -0.1},
			{Interval: time.Second, Until: time.Now().Add(-time.Second)},
		} {
			if err := s.Store.Set(s.Context(), v); !errors.Is(err, backoff.ErrInvalid) {
				s.Errorf("Set(%+v) returned %v, want an error that is ErrInvalid", v, err)
			}
		}
		s.present(interval(20 * time.Second))
	}},
	{"context done", "a caller that gave up must not change anything afterwards", func(s *suite) {
		s.set(interval(20 * time.Second))
		ctx, cancel := context.WithCancel(s.Context())
		cancel()
		if _, err := s.Store.Get(ctx); !gaveUp(err) {
			s.Errorf("Get with a context that is done returned %v", err)
		}
		if err := s.Store.Set(ctx, interval(30*time.Second)); !gaveUp(err) {
			s.Errorf("Set with a context that is done returned %v", err)
		}
		if err := s.Store.Del(ctx); !gaveUp(err) {
			s.Errorf("Del with a context that is done returned %v", err)
		}
		s.present(interval(20 * time.Second))
	}},
	{"concurrent", "pollers, operators and controllers use one store at the same time", func(s *suite) {
		valid := map[time.Duration]bool{}
		var wg sync.WaitGroup
		for n := 1; n <= 4; n++ {
			valid[time.Duration(n)*time.Minute] = true
			wg.Go(func() {
				for range 10 {
					if err := s.Store.Set(s.Context(), interval(time.Duration(n)*time.Minute)); err != nil {
						s.Errorf("Set: %v", err)
					}
				}
			})
			wg.Go(func() {
				for range 10 {
					v, err := s.Store.Get(s.Context())
					if err != nil && !errors.Is(err, backoff.ErrNotSet) {
						s.Errorf("Get: %v", err)
					}
					if err == nil && (v.Interval < time.Minute || v.Interval > 4*time.Minute) {
						s.Errorf("Get returned %v, which nobody set", v)
					}
				}
			})
		}
		wg.Wait()
		v, err := s.Store.Get(s.Context())
		if err != nil || !valid[v.Interval] {
			s.Errorf("Get after everyone has set something returned %v, %v", v, err)
		}
	}},
}

// suite is one case's test and store.
type suite struct {
	*testing.T
	backoff.Store
}

func interval(d time.Duration) backoff.Value { return backoff.Value{Interval: d} }

// full has all fields set. The expiry is a fixed time, far from now, so that
// no clock decides about the result.
func full() backoff.Value {
	return backoff.Value{
		Interval:    45 * time.Second,
		Probability: 0.25,
		Unavailable: 0.125,
		Until:       time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC),
		Note:        "ana: primary \"db1\" is slow, ticket 7, naïve — fix",
	}
}

func (s *suite) set(v backoff.Value) {
	s.Helper()
	if err := s.Store.Set(s.Context(), v); err != nil {
		s.Fatalf("Set(%v): %v", v, err)
	}
}

func (s *suite) del() {
	s.Helper()
	if err := s.Store.Del(s.Context()); err != nil {
		s.Fatalf("Del: %v", err)
	}
}

func (s *suite) absent() {
	s.Helper()
	if v, err := s.Store.Get(s.Context()); !errors.Is(err, backoff.ErrNotSet) {
		s.Errorf("Get returned %v, %v, want an error that is ErrNotSet", v, err)
	}
}

func (s *suite) present(want backoff.Value) {
	s.Helper()
	got, err := s.Store.Get(s.Context())
	if err != nil {
		s.Errorf("Get: %v, want %v", err, want)
		return
	}
	if d := got.Interval - want.Interval; d < 0 || d >= time.Second {
		s.Errorf("Interval is %v, want %v, rounded up to a second at most", got.Interval, want.Interval)
	}
	if d := got.Until.Sub(want.Until); d < 0 || d >= time.Second {
		s.Errorf("Until is %v, want %v, rounded up to a second at most", got.Until, want.Until)
	}
	if got.Probability != want.Probability || got.Unavailable != want.Unavailable || got.Note != want.Note {
		s.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func gaveUp(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded)
}
