package timeout_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/timeout"
)

// The context of a request is made when it is asked for. What is asked first, and when,
// must not change the answers.
func TestContextAskedLate(t *testing.T) {
	const soft = total - 50*time.Millisecond
	var limit *timeout.Error
	asks := map[string]func(context.Context) bool{
		"Err":   func(ctx context.Context) bool { return errors.Is(ctx.Err(), context.DeadlineExceeded) },
		"Cause": func(ctx context.Context) bool { return errors.As(context.Cause(ctx), &limit) && limit.Limit == soft },
		"Done": func(ctx context.Context) bool {
			select {
			case <-ctx.Done():
				return true
			default:
				return false
			}
		},
		"child": func(ctx context.Context) bool {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			return errors.Is(child.Err(), context.DeadlineExceeded) && errors.As(context.Cause(child), &limit)
		},
	}
	for name, ask := range asks {
		for _, stream := range []time.Duration{0, time.Minute} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					l := limiter(t, timeout.Config{Total: total, Grace: 50 * time.Millisecond, Stream: stream})
					serve(l, context.Background(), func(ctx context.Context) {
						if by, ok := ctx.Deadline(); !ok || time.Until(by) != soft {
							t.Errorf("deadline in %v, %v", time.Until(by), ok)
						}
						time.Sleep(soft - 1)
						if name == "Err" && ctx.Err() != nil {
							t.Errorf("too early: %v", ctx.Err())
						}
						time.Sleep(time.Nanosecond)
						synctest.Wait()
						if !ask(ctx) {
							t.Error("has not ended, or not by its deadline")
						}
						if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
							t.Errorf("then: %v", ctx.Err())
						}
					})
				})
			})
		}
	}
}

// To look for a value does not make the context that ends.
func TestContextValueCostsNothing(t *testing.T) {
	l := limiter(t, timeout.Config{})
	outer := context.WithValue(t.Context(), "key", "value") //lint:ignore SA1029 no key to export
	allocs := func(f func(context.Context)) float64 {
		return testing.AllocsPerRun(100, func() { serve(l, outer, f) })
	}
	none := allocs(func(context.Context) {})
	if n := allocs(func(ctx context.Context) {
		if ctx.Value("key") != "value" || ctx.Value("trace") != nil {
			t.Error("wrong value")
		}
	}); n != none {
		t.Errorf("%v allocations where a handler that asks for nothing makes %v", n, none)
	}
	if n := allocs(func(ctx context.Context) { ctx.Done() }); n <= none {
		t.Errorf("%v allocations for a context that ends, %v for none", n, none)
	}
}

func TestContextAfterReturn(t *testing.T) {
	l := limiter(t, timeout.Config{})
	var kept context.Context
	serve(l, context.Background(), func(ctx context.Context) { kept = ctx })
	<-kept.Done() // hangs if it has not ended
	if kept.Err() != context.Canceled || context.Cause(kept) != context.Canceled {
		t.Errorf("%v, %v", kept.Err(), context.Cause(kept))
	}
	serve(l, context.Background(), func(ctx context.Context) { kept = ctx })
	if kept.Err() != context.Canceled {
		t.Error(kept.Err())
	}
}

func TestContextOutside(t *testing.T) {
	l := limiter(t, timeout.Config{Total: time.Minute})
	left := errors.New("left")
	outer, cancel := context.WithCancelCause(context.WithValue(t.Context(), "key", "value")) //lint:ignore SA1029 no key to export
	serve(l, outer, func(ctx context.Context) {
		if ctx.Value("key") != "value" {
			t.Error("lost a value")
		}
	})
	serve(l, outer, func(ctx context.Context) {
		cancel(left)
		if ctx.Err() != context.Canceled || context.Cause(ctx) != left {
			t.Errorf("%v, %v", ctx.Err(), context.Cause(ctx))
		}
	})
	sooner, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	serve(l, sooner, func(ctx context.Context) {
		want, _ := sooner.Deadline()
		if by, ok := ctx.Deadline(); !ok || by != want {
			t.Errorf("deadline %v, want %v", by, want)
		}
		<-ctx.Done() // already a deadline of its own
	})
}

// Several goroutines of a handler may be the first to ask.
func TestContextAskedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter(t, timeout.Config{Total: total})
		serve(l, context.Background(), func(ctx context.Context) {
			var wg sync.WaitGroup
			for i := range 12 {
				wg.Go(func() {
					switch i % 3 {
					case 0:
						_ = ctx.Err()
					case 1:
						ctx.Deadline()
					}
					<-ctx.Done()
				})
			}
			wg.Wait()
		})
	})
}

// serve runs a handler in l that gets nothing but its context.
func serve(l *timeout.Limiter, outer context.Context, f func(context.Context)) {
	r, _ := http.NewRequestWithContext(outer, "GET", "http://site/", nil)
	w := nullWriter{http.Header{}}
	l.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { f(r.Context()) })).ServeHTTP(w, r)
}
