package sqlstore

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// testClocks: two servers on one database, and the clock of one of them is
// wrong, and set again and again.
func testClocks(t *testing.T, dsn string) {
	wrong := newSkewed(t, dsn)
	if !histories(t, badDays, 1000, open(t, dsn), wrong) {
		return
	}
	if wrong.steps < len(skews) {
		t.Errorf("the clock was set %d times: too good a day", wrong.steps)
	}
	if wrong.behind > unset/2 || wrong.ahead < time.Hour/2 {
		t.Errorf("the clock was between %v and %v off", wrong.behind, wrong.ahead)
	}
	t.Logf("the clock was set %d times", wrong.steps)
}

// skews are how far off the wrong clock is, one after the other. The times of
// writes follow a clock that is ahead, and are waited for where that is less
// than a second; 26 years behind is where a clock begins that knows nothing.
var skews = []time.Duration{
	0, 300 * time.Millisecond, -300 * time.Millisecond, 3 * time.Second, -5 * time.Second,
	time.Hour, 10 * time.Millisecond, -time.Hour, unset, 0, -2 * time.Second,
}

const (
	unset     = -26 * 365 * 24 * time.Hour
	callsEach = 25 // calls between two settings of the clock
)

// skewed is a store in a process whose clock is wrong. The process is a synctest
// bubble, which has a clock of its own, from the year 2000 on: it is put
// forward by sleeping, which takes no time there, and back by starting another
// one, with another Store, as after a reboot. One call is made at a time, and
// while none is, that clock stands still; before each it is put to what it is
// to show.
type skewed struct {
	t     *testing.T
	dsn   string
	turn  chan struct{} // holds a token while there is a call
	calls chan skewedCall
	ended chan struct{}
	count int
	steps int

	ahead, behind time.Duration // how far the clock was off at the most
}

type skewedCall struct {
	now  time.Time // by the right clock
	at   time.Time // what the wrong one is to show
	do   func(context.Context, *Store) error
	done chan error
}

func newSkewed(t *testing.T, dsn string) *skewed {
	s := &skewed{t: t, dsn: dsn, turn: make(chan struct{}, 1)}
	s.boot()
	t.Cleanup(s.halt)
	return s
}

func (s *skewed) boot() {
	calls, ended := make(chan skewedCall), make(chan struct{})
	s.calls, s.ended = calls, ended
	go func() {
		defer close(ended)
		synctest.Test(s.t, func(t *testing.T) {
			var store *Store
			for c := range calls {
				if ahead := time.Until(c.at); ahead > 0 {
					time.Sleep(ahead)
				}
				if store == nil {
					var err error
					if store, err = Open(t.Context(), s.dsn); err != nil {
						// Half a minute of patience with a busy database is
						// over in no time here.
						c.done <- err
						continue
					}
				}
				off := time.Since(c.now)
				s.ahead, s.behind = max(s.ahead, off), min(s.behind, off)
				c.done <- c.do(t.Context(), store)
			}
			if store != nil {
				_ = store.Close() // some of its connections may be dead
			}
		})
	}()
}

func (s *skewed) halt() {
	close(s.calls)
	<-s.ended
}

// call has do done by the store. What it is given is of the bubble, as all that
// it waits for must be: the caller's context can't end it.
func (s *skewed) call(do func(context.Context, *Store) error) error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	if s.count++; s.count%callsEach == 0 {
		s.steps++
		s.halt()
		s.boot()
	}
	now := time.Now().Round(0) // without the monotonic clock, which is the bubble's own
	c := skewedCall{now: now, at: now.Add(skews[s.steps%len(skews)]), do: do, done: make(chan error, 1)}
	s.calls <- c
	return <-c.done
}

func (s *skewed) State(_ context.Context, key syncproto.Key) (st syncproto.State, err error) {
	err = s.call(func(ctx context.Context, store *Store) (err error) { st, err = store.State(ctx, key); return err })
	return st, err
}

func (s *skewed) Read(_ context.Context, key syncproto.Key, since syncproto.Time, limit int, begin func(syncproto.State) error, each func(syncproto.Record) error) (more bool, err error) {
	err = s.call(func(ctx context.Context, store *Store) (err error) {
		more, err = store.Read(ctx, key, since, limit, begin, each)
		return err
	})
	return more, err
}

func (s *skewed) Write(_ context.Context, key syncproto.Key, w syncproto.Write) (res syncproto.Result, err error) {
	err = s.call(func(ctx context.Context, store *Store) (err error) { res, err = store.Write(ctx, key, w); return err })
	return res, err
}

func (s *skewed) Ping(context.Context) error {
	return s.call(func(ctx context.Context, store *Store) error { return store.Ping(ctx) })
}
