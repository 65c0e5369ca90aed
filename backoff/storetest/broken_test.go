package storetest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/storetest"
)

// broken is a store in memory with one thing wrong: what is not nil replaces a method.
type broken struct {
	backoff.Memory
	get func(ctx context.Context, m *backoff.Memory) (backoff.Value, error)
	set func(ctx context.Context, m *backoff.Memory, v backoff.Value) error
	del func(ctx context.Context, m *backoff.Memory) error
}

func (b *broken) Get(ctx context.Context) (backoff.Value, error) {
	if b.get != nil {
		return b.get(ctx, &b.Memory)
	}
	return b.Memory.Get(ctx)
}

func (b *broken) Set(ctx context.Context, v backoff.Value) error {
	if b.set != nil {
		return b.set(ctx, &b.Memory, v)
	}
	return b.Memory.Set(ctx, v)
}

func (b *broken) Del(ctx context.Context) error {
	if b.del != nil {
		return b.del(ctx, &b.Memory)
	}
	return b.Memory.Del(ctx)
}

// changes is a store that makes another value of each that is set.
func changes(f func(v backoff.Value) backoff.Value) func() *broken {
	return func() *broken {
		return &broken{set: func(ctx context.Context, m *backoff.Memory, v backoff.Value) error {
			if err := v.ValidateAt(time.Now()); err != nil {
				return err
			}
			return m.Set(ctx, f(v))
		}}
	}
}

// seeded are the mistakes, each with the case that has to find it.
var seeded = []struct {
	mistake string
	found   string
	store   func() *broken
}{
	{"nothing is zero", "empty", func() *broken {
		return &broken{get: func(ctx context.Context, m *backoff.Memory) (backoff.Value, error) {
			v, err := m.Get(ctx)
			if errors.Is(err, backoff.ErrNotSet) {
				err = nil
			}
			return v, err
		}}
	}},
	{"writes are lost", "set", func() *broken {
		return &broken{set: func(ctx context.Context, m *backoff.Memory, v backoff.Value) error {
			return errors.Join(ctx.Err(), v.ValidateAt(time.Now()))
		}}
	}},
	{"zero deletes", "zero", func() *broken {
		return &broken{set: func(ctx context.Context, m *backoff.Memory, v backoff.Value) error {
			if v.IsZero() {
				return m.Del(ctx)
			}
			return m.Set(ctx, v)
		}}
	}},
	{"two days at most", "long", changes(func(v backoff.Value) backoff.Value {
		v.Interval = min(v.Interval, backoff.MaxInterval)
		return v
	})},
	{"rounded down", "fraction", changes(func(v backoff.Value) backoff.Value {
		v.Interval = v.Interval.Truncate(time.Second)
		return v
	})},
	{"no note", "all_fields", changes(func(v backoff.Value) backoff.Value { v.Note = ""; return v })},
	{"no share", "all_fields", changes(func(v backoff.Value) backoff.Value { v.Probability = 0; return v })},
	{"no end", "all_fields", changes(func(v backoff.Value) backoff.Value { v.Until = time.Time{}; return v })},
	{"no interval, no value", "shedding_alone", changes(func(v backoff.Value) backoff.Value {
		if v.Interval == 0 {
			return backoff.Value{}
		}
		return v
	})},
	{"what was said before stays", "replace", func() *broken {
		return &broken{set: func(ctx context.Context, m *backoff.Memory, v backoff.Value) error {
			if before, err := m.Get(ctx); err == nil && v.Note == "" {
				v.Note = before.Note
			}
			return m.Set(ctx, v)
		}}
	}},
	{"deletes are lost", "delete", func() *broken {
		return &broken{del: func(ctx context.Context, m *backoff.Memory) error { return ctx.Err() }}
	}},
	{"nothing cannot be deleted", "delete_nothing", func() *broken {
		return &broken{del: func(ctx context.Context, m *backoff.Memory) error {
			if _, err := m.Get(ctx); err != nil {
				return err
			}
			return m.Del(ctx)
		}}
	}},
	{"never ends", "expired", func() *broken {
		var last backoff.Value
		return &broken{
			set: func(ctx context.Context, m *backoff.Memory, v backoff.Value) error {
				err := m.Set(ctx, v)
				if err == nil {
					last = v
				}
				return err
			},
			get: func(ctx context.Context, m *backoff.Memory) (backoff.Value, error) {
				v, err := m.Get(ctx)
				if errors.Is(err, backoff.ErrNotSet) && !last.IsZero() {
					return last, nil
				}
				return v, err
			},
		}
	}},
	{"anything goes", "invalid", func() *broken {
		return &broken{set: func(ctx context.Context, m *backoff.Memory, v backoff.Value) error {
			if v.ValidateAt(time.Now()) != nil {
				v = backoff.Value{}
			}
			return m.Set(ctx, v)
		}}
	}},
	{"the invalid deletes", "invalid", func() *broken {
		return &broken{set: func(ctx context.Context, m *backoff.Memory, v backoff.Value) error {
			err := m.Set(ctx, v)
			if errors.Is(err, backoff.ErrInvalid) {
				m.Del(ctx)
			}
			return err
		}}
	}},
	{"contexts are ignored", "context_done", func() *broken {
		return &broken{del: func(_ context.Context, m *backoff.Memory) error { return m.Del(context.Background()) }}
	}},
	{"one at a time", "concurrent", func() *broken {
		var inside atomic.Int32
		second := make(chan struct{}, 100)
		return &broken{set: func(ctx context.Context, m *backoff.Memory, v backoff.Value) error {
			defer inside.Add(-1)
			if inside.Add(1) > 1 {
				second <- struct{}{}
				return errors.New("busy")
			}
			select {
			case <-second:
			case <-time.After(10 * time.Millisecond):
			}
			return m.Set(ctx, v)
		}}
	}},
}

// TestMistakesAreFound runs the suite on stores with a mistake each, in another process,
// because there it has to fail.
func TestMistakesAreFound(t *testing.T) {
	if os.Getenv("STORETEST_BROKEN") != "" {
		for _, c := range seeded {
			t.Run(c.mistake, func(t *testing.T) {
				t.Parallel()
				storetest.Run(t, func(*testing.T) backoff.Store { return c.store() })
			})
		}
		return
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMistakesAreFound$", "-test.v", "-test.parallel=50")
	command.Env = append(os.Environ(), "STORETEST_BROKEN=1")
	out, err := command.CombinedOutput()
	if err == nil {
		t.Error("the suite passed")
	}
	for _, c := range seeded {
		name := "TestMistakesAreFound/" + strings.ReplaceAll(c.mistake, " ", "_") + "/" + c.found
		if !strings.Contains(string(out), "--- FAIL: "+name+" ") {
			t.Errorf("%q was not found by the case %s", c.mistake, c.found)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
