package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// flaky is a store whose answers a test chooses.
type flaky struct {
	backoff.Memory
	mu    sync.Mutex
	err   error
	hang  bool
	reads []time.Time
}

func (f *flaky) times() []time.Time { f.mu.Lock(); defer f.mu.Unlock(); return slices.Clone(f.reads) }

func (f *flaky) fail(err error)   { f.mu.Lock(); f.err = err; f.mu.Unlock() }
func (f *flaky) freeze(hang bool) { f.mu.Lock(); f.hang = hang; f.mu.Unlock() }

func (f *flaky) Get(ctx context.Context) (backoff.Value, error) {
	f.mu.Lock()
	f.reads = append(f.reads, time.Now())
	err, hang := f.err, f.hang
	f.mu.Unlock()
	if hang {
		<-ctx.Done()
		return backoff.Value{}, ctx.Err()
	}
	if err != nil {
		return backoff.Value{}, err
	}
	return f.Memory.Get(ctx)
}

// journal collects events.
type journal struct {
	mu     sync.Mutex
	events []backoff.Event
}

func (j *journal) add(e backoff.Event) { j.mu.Lock(); j.events = append(j.events, e); j.mu.Unlock() }

func (j *journal) take() []backoff.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	taken := j.events
	j.events = nil
	return taken
}

func seconds(n int) backoff.Value { return backoff.Value{Interval: time.Duration(n) * time.Second} }

func start(t *testing.T, c backoff.SourceConfig) *backoff.Source {
	t.Helper()
	s, err := backoff.NewSource(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	synctest.Wait() // the first reading
	return s
}

func expect(t *testing.T, s *backoff.Source, want backoff.Value) {
	t.Helper()
	synctest.Wait()
	if got := s.Current(); got != want {
		t.Errorf("in force: %v, want %v", got, want)
	}
}

func TestSourceShowsASetWithin1300ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(backoff.Memory)
		s := start(t, backoff.SourceConfig{Store: store})
		expect(t, s, backoff.Value{})
		for n := 1; n <= 50; n++ {
			store.Set(t.Context(), seconds(n))
			time.Sleep(1300 * time.Millisecond)
			expect(t, s, seconds(n))
		}
		store.Del(t.Context())
		time.Sleep(1300 * time.Millisecond)
		expect(t, s, backoff.Value{})
	})
}

func TestSourceReadsAboutEveryIntervalAndNotInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := new(flaky), new(flaky)
		start(t, backoff.SourceConfig{Store: a, Every: time.Minute})
		start(t, backoff.SourceConfig{Store: b, Every: time.Minute})
		time.Sleep(1000 * time.Minute)
		synctest.Wait()
		first, second := a.times(), b.times()
		if n := len(first); n < 950 || n > 1050 {
			t.Errorf("%d readings in 1000 intervals", n)
		}
		together := 0
		for _, at := range first[1:] {
			if slices.ContainsFunc(second, at.Equal) {
				together++
			}
		}
		if together > 10 {
			t.Errorf("%d readings of two sources at the same instant: they are in step", together)
		}
	})
}

func TestSourceKeepsTheLastGoodValueThroughErrors(t *testing.T) {
	for name, spoil := range map[string]func(*flaky){
		"refused": func(f *flaky) { f.fail(io.ErrUnexpectedEOF) },
		"hung":    func(f *flaky) { f.freeze(true) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var events journal
				store := new(flaky)
				store.Set(t.Context(), seconds(20))
				s := start(t, backoff.SourceConfig{Store: store, OnEvent: events.add})
				expect(t, s, seconds(20))
				events.take()

				spoil(store)
				time.Sleep(4 * time.Minute)
				expect(t, s, seconds(20))
				if st := s.Status(); st.Err == nil || st.Failures == 0 || time.Since(st.ReadAt) < 3*time.Minute {
					t.Errorf("status does not show the failure: %+v", st)
				}
				first := events.take()[0]
				if first.Kind != backoff.StoreFailed || first.Failures != 1 || first.Err == nil || first.Value != seconds(20) {
					t.Errorf("first event: %+v", first)
				}

				time.Sleep(2 * time.Minute)
				expect(t, s, backoff.Value{})

				store.fail(nil)
				store.freeze(false)
				events.take()
				time.Sleep(2 * time.Second)
				expect(t, s, seconds(20))
				got := events.take()
				got = got[max(len(got)-2, 0):] // a reading may have hung till now
				if len(got) != 2 || got[0].Kind != backoff.StoreRecovered || got[0].Failures < 200 || got[1].Kind != backoff.ValueChanged {
					t.Errorf("events at recovery: %+v", got)
				}
			})
		})
	}
}

func TestSourceObeysAMissAtOnceUnlessTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(backoff.Memory)
		store.Set(t.Context(), seconds(20))
		quick := start(t, backoff.SourceConfig{Store: store})
		slow := start(t, backoff.SourceConfig{Store: store, MinHold: time.Minute})
		time.Sleep(time.Hour) // holding counts from the last reading, not the first
		store.Del(t.Context())
		time.Sleep(2 * time.Second)
		expect(t, quick, backoff.Value{})
		expect(t, slow, seconds(20))
		time.Sleep(time.Minute)
		expect(t, slow, backoff.Value{})

		store.Set(t.Context(), seconds(20))
		time.Sleep(2 * time.Second)
		expect(t, slow, seconds(20))
		store.Set(t.Context(), backoff.Value{})
		time.Sleep(2 * time.Second)
		expect(t, slow, backoff.Value{})
	})
}

func TestSourceTakesACorruptValueForNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events journal
		store := new(flaky)
		store.Set(t.Context(), seconds(20))
		s := start(t, backoff.SourceConfig{Store: store, OnEvent: events.add})
		events.take()
		store.fail(fmt.Errorf("somewhere: %w", backoff.ErrCorrupt))
		time.Sleep(2 * time.Second)
		expect(t, s, backoff.Value{})
		got := events.take()
		if len(got) < 2 || got[0].Kind != backoff.StoreFailed || got[1].Kind != backoff.ValueChanged || !errors.Is(got[1].Err, backoff.ErrCorrupt) {
			t.Errorf("events: %+v", got)
		}
	})
}

func TestSourceEndsAValueAtItsUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(flaky)
		v := seconds(20)
		v.Until = time.Now().Add(90 * time.Second)
		store.Set(t.Context(), v)
		s := start(t, backoff.SourceConfig{Store: store, Every: time.Minute, Timeout: time.Minute})
		expect(t, s, v)
		store.freeze(true) // it must not need the store for that
		time.Sleep(91 * time.Second)
		expect(t, s, v) // still within a reading that began before Until
		time.Sleep(time.Minute)
		expect(t, s, backoff.Value{})
	})
}

func TestRefreshWaitsForTheReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(flaky)
		s := start(t, backoff.SourceConfig{Store: store, Every: time.Hour})
		store.Set(t.Context(), seconds(7))
		if err := s.Refresh(t.Context()); err != nil || s.Current() != seconds(7) {
			t.Errorf("after Refresh: %v, %v", s.Current(), err)
		}
		store.Del(t.Context())
		if err := s.Refresh(t.Context()); err != nil || !s.Current().IsZero() {
			t.Errorf("after Del and Refresh: %v, %v", s.Current(), err)
		}
		store.fail(io.ErrUnexpectedEOF)
		if err := s.Refresh(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Refresh of a broken store: %v", err)
		}
		store.freeze(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := s.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Refresh with a short context: %v", err)
		}
		s.Close()
		if err := s.Refresh(t.Context()); err == nil {
			t.Error("Refresh of a closed source returned nil")
		}
	})
}

// stuck is a store that does not honour its context, as a file on NFS.
type stuck struct {
	flaky
	free chan struct{}
	gets int
}

func (s *stuck) Get(context.Context) (backoff.Value, error) {
	s.gets++
	<-s.free
	return s.Memory.Get(context.Background())
}

func TestSourceOutlivesAStoreThatDoesNotGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &stuck{free: make(chan struct{}, 1)}
		store.Set(t.Context(), seconds(20))
		store.free <- struct{}{}
		var j journal
		s := start(t, backoff.SourceConfig{Store: store, MaxStale: time.Minute, OnEvent: j.add})
		expect(t, s, seconds(20))
		time.Sleep(59 * time.Second)
		expect(t, s, seconds(20))
		time.Sleep(3 * time.Second)
		expect(t, s, backoff.Value{})
		if st := s.Status(); st.Err == nil || st.Failures < 40 || store.gets != 2 {
			t.Errorf("%+v after %d readings", st, store.gets)
		}
		if err := s.Refresh(t.Context()); err == nil {
			t.Error("Refresh of a store that hangs returned nil")
		}
		close(store.free)
		time.Sleep(2 * time.Second)
		expect(t, s, seconds(20))
		if st := s.Status(); st.Err != nil || st.Failures != 0 {
			t.Errorf("afterwards: %+v", st)
		}
	})
}

func TestCloseWaitsForTheReadingAndEndsTheValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(flaky)
		store.Set(t.Context(), seconds(20))
		s := start(t, backoff.SourceConfig{Store: store, Timeout: time.Hour})
		store.freeze(true)
		time.Sleep(2 * time.Second) // a reading hangs now
		before := time.Now()
		s.Close()
		s.Close()
		if waited := time.Since(before); waited != 0 {
			t.Errorf("Close took %v of a reading that it should have interrupted", waited)
		}
		expect(t, s, backoff.Value{})
	})
}

func TestNewSourceRefusesNonsense(t *testing.T) {
	for want, c := range map[string]backoff.SourceConfig{
		"backoff: SourceConfig.Store is nil: give it a store, &backoff.Memory{} for one in memory": {},
		"backoff: SourceConfig.Every is -1ns: it must not be negative":                             {Store: new(backoff.Memory), Every: -1},
		"backoff: SourceConfig.MinHold is -1ns: it must not be negative":                           {Store: new(backoff.Memory), MinHold: -1},
	} {
		if _, err := backoff.NewSource(c); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
