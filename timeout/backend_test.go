package timeout_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

func backend(t testing.TB, c timeout.BackendConfig) *timeout.Backend {
	t.Helper()
	if c.Name == "" {
		c.Name = "ldap"
	}
	b, err := timeout.NewBackend(c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDoReturnsWhatTheFunctionReturns(t *testing.T) {
	b := backend(t, timeout.BackendConfig{})
	want := errors.New("no such user")
	if err := b.Do(t.Context(), func(context.Context) error { return want }); err != want {
		t.Errorf("got %v", err)
	}
	n, err := timeout.Call(t.Context(), b, func(context.Context) (int, error) { return 7, nil })
	if n != 7 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	if s := b.Stats(); s.InFlight != 0 || s.Calls != 2 || len(s.Met) != 0 {
		t.Errorf("%+v", s)
	}
}

// The slot of a call that ignores its context is taken until it returns.
func TestAbandonedCallKeepsItsSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		b := backend(t, timeout.BackendConfig{
			Call: 100 * time.Millisecond, Slots: 2, RetryAfter: 3 * time.Second,
			OnEvent: seen.add,
		})
		stuck := func(context.Context) error { time.Sleep(time.Minute); return nil }
		for range 2 {
			start := time.Now()
			err := b.Do(t.Context(), stuck)
			var e *timeout.Error
			if !errors.As(err, &e) || *e != (timeout.Error{
				Backend: "ldap", Reason: timeout.ReasonDeadline, Limit: 100 * time.Millisecond,
				Elapsed: 100 * time.Millisecond, RetryAfter: 3 * time.Second,
			}) || time.Since(start) != 100*time.Millisecond {
				t.Fatalf("got %#v after %v", err, time.Since(start))
			}
			if !errors.Is(err, context.DeadlineExceeded) || !e.Timeout() {
				t.Errorf("%v is no deadline", err)
			}
		}
		if s := b.Stats(); s.InFlight != 2 || s.Abandoned != 2 {
			t.Errorf("%+v", s)
		}
		start := time.Now()
		err := b.Do(t.Context(), stuck)
		var e *timeout.Error
		if !errors.As(err, &e) || e.Reason != timeout.ReasonFull || time.Since(start) != 0 {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := b.Stats(); s.InFlight != 0 || s.Abandoned != 0 || s.Calls != 2 || s.Met[timeout.ReasonDeadline] != 2 || s.Met[timeout.ReasonFull] != 1 {
			t.Errorf("%+v", s)
		}
		if err := b.Do(t.Context(), func(context.Context) error { return nil }); err != nil {
			t.Errorf("service did not return: %v", err)
		}
		want := "abandoned, timeout deadline, abandoned, timeout deadline, refused full, returned, returned"
		if got := seen.kinds(); got != want {
			t.Errorf("events: %s", got)
		}
	})
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Call: time.Second, Slots: 1, Queue: 2, QueueWait: 50 * time.Millisecond})
		var mu sync.Mutex
		got := map[string]int{}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				start := time.Now()
				err := b.Do(t.Context(), func(context.Context) error { time.Sleep(30 * time.Millisecond); return nil })
				mu.Lock()
				defer mu.Unlock()
				var e *timeout.Error
				if errors.As(err, &e) {
					got[string(e.Reason)+" "+time.Since(start).String()]++
				} else {
					got["ok "+time.Since(start).String()]++
				}
			})
		}
		wg.Wait()
		want := map[string]int{"ok 30ms": 1, "ok 60ms": 1, "queue 50ms": 1, "full 0s": 2}
		for k, n := range want {
			if got[k] != n {
				t.Errorf("got %v, want %v", got, want)
				break
			}
		}
		if s := b.Stats(); s.Queued != 0 || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backend(t, timeout.BackendConfig{Call: 100 * time.Millisecond, Reserve: 20 * time.Millisecond, Least: 10 * time.Millisecond})
		ctx, cancel := timeout.WithBudget(t.Context(), 150*time.Millisecond)
		defer cancel()
		obey := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		var limits []time.Duration
		var e *timeout.Error
		for range 2 {
			if err := b.Do(ctx, obey); !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			limits = append(limits, e.Limit)
		}
		if limits[0] != 100*time.Millisecond || limits[1] != 30*time.Millisecond {
			t.Errorf("limits %v", limits)
		}
		err := b.Do(ctx, func(context.Context) error { t.Error("called"); return nil })
		if !errors.As(err, &e) || e.Reason != timeout.ReasonBudget {
			t.Errorf("got %v", err)
		}
		if left, ok := timeout.Remaining(ctx); left != 20*time.Millisecond || !ok {
			t.Errorf("%v left", left)
		}
		synctest.Wait()
		if s := b.Stats(); s.Abandoned != 0 || s.InFlight != 0 {
			t.Errorf("%+v", s)
		}
		<-ctx.Done()
		if !errors.As(context.Cause(ctx), &e) || e.Backend != "" {
			t.Errorf("cause %v", context.Cause(ctx))
		}
	})
}

func TestNothingRemainsOfNoBudget(t *testing.T) {
	if left, ok := timeout.Remaining(context.Background()); left != 0 || ok {
		t.Errorf("got %v, %v", left, ok)
	}
}

func TestCancelledCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told error
		b := backend(t, timeout.BackendConfig{Breaker: breakerFunc(func() (func(error), error) {
			return func(err error) { told = err }, nil
		})})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		err := b.Do(ctx, func(context.Context) error { time.Sleep(time.Second); return nil })
		if err != context.Canceled || told != context.Canceled {
			t.Errorf("got %v, the breaker %v", err, told)
		}
		if s := b.Stats(); s.Abandoned != 1 || len(s.Met) != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
	})
}

type breakerFunc func() (func(error), error)

func (f breakerFunc) Allow() (func(error), error) { return f() }

func TestBreakerRefuses(t *testing.T) {
	why := errors.New("circuit breaker is open")
	b := backend(t, timeout.BackendConfig{Breaker: breakerFunc(func() (func(error), error) { return nil, why })})
	err := b.Do(t.Context(), func(context.Context) error { t.Error("called"); return nil })
	var e *timeout.Error
	if !errors.As(err, &e) || e.Reason != timeout.ReasonOpen || !errors.Is(err, why) || b.Stats().InFlight != 0 {
		t.Errorf("got %v", err)
	}
}

func TestPanicInDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		b := backend(t, timeout.BackendConfig{Call: time.Second, OnEvent: seen.add})
		func() {
			defer func() {
				err, ok := recover().(error)
				if !ok || !errors.Is(err, os.ErrInvalid) || !strings.Contains(err.Error(), "backend_test.go") {
					t.Errorf("recovered %v", err)
				}
			}()
			b.Do(t.Context(), func(context.Context) error { panic(os.ErrInvalid) })
		}()
		b.Do(t.Context(), func(context.Context) error { time.Sleep(time.Minute); panic("late") })
		time.Sleep(time.Hour)
		synctest.Wait()
		all := seen.take()
		if got := all[len(all)-1]; got.Kind != timeout.KindPanic || got.Panic != "late" || !strings.Contains(string(got.Stack), "backend_test.go") {
			t.Errorf("%+v", got)
		}
		if s := b.Stats(); s.InFlight != 0 || s.Abandoned != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// 10,000 requests against a backend that hangs, with ten slots: ten are stuck, and
// everyone else has an answer within the queue wait.
func TestHungBackendStopsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const wait = 20 * time.Millisecond
		b := backend(t, timeout.BackendConfig{Call: 100 * time.Millisecond, Slots: 10, Queue: 50, QueueWait: wait})
		var most, slowest atomic.Int64
		var wg sync.WaitGroup
		for range 10_000 {
			wg.Go(func() {
				start := time.Now()
				err := b.Do(t.Context(), func(context.Context) error {
					for n := b.Stats().InFlight; ; {
						old := most.Load()
						if n <= old || most.CompareAndSwap(old, n) {
							break
						}
					}
					time.Sleep(time.Hour)
					return nil
				})
				var e *timeout.Error
				if !errors.As(err, &e) {
					t.Errorf("got %v", err)
				} else if took := time.Since(start); e.Reason != timeout.ReasonDeadline && took > wait {
					slowest.Store(int64(took))
				}
			})
			time.Sleep(100 * time.Microsecond)
		}
		wg.Wait()
		if most.Load() != 10 || slowest.Load() != 0 {
			t.Errorf("%d stuck at most, the slowest refusal took %v", most.Load(), time.Duration(slowest.Load()))
		}
		s := b.Stats()
		if s.Abandoned != 10 || s.Calls != 10 || s.Met[timeout.ReasonFull]+s.Met[timeout.ReasonQueue] != 9990 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if s := b.Stats(); s.Abandoned != 0 || s.InFlight != 0 {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

func TestNewBackendRefusesBadConfigs(t *testing.T) {
	for want, c := range map[string]timeout.BackendConfig{
		"Name":      {},
		"Dial":      {Name: "x", Dial: -1},
		"Call":      {Name: "x", Call: -1},
		"Idle":      {Name: "x", Idle: -1},
		"Reserve":   {Name: "x", Reserve: -1},
		"QueueWait": {Name: "x", QueueWait: -1},
		"Least":     {Name: "x", Call: 1, Least: 2},
		"Slots":     {Name: "x", Slots: -1},
		"Queue of":  {Name: "x", Queue: -1},
	} {
		if _, err := timeout.NewBackend(c); err == nil || !strings.Contains(err.Error(), "BackendConfig."+want) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
