package backoff_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// run polls for so long and returns when Poll was called.
func run(t *testing.T, p *backoff.Poller, d time.Duration, poll func(ctx context.Context, n int) error) (at []time.Duration) {
	t.Helper()
	began := time.Now()
	p.Poll = func(ctx context.Context) error {
		at = append(at, time.Since(began))
		return poll(ctx, len(at)-1)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := p.Run(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Run returned %v", err)
	}
	return at
}

func TestPollerKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := run(t, &backoff.Poller{Jitter: -1}, 16*time.Minute, func(context.Context, int) error { return nil })
		if got := fmt.Sprint(at); got != "[0s 5m0s 10m0s 15m0s]" {
			t.Errorf("polled at %s", got)
		}
		at = run(t, &backoff.Poller{Every: time.Minute}, 1000*time.Minute, func(context.Context, int) error { return nil })
		if n := len(at); n < 850 || n > 930 {
			t.Errorf("%d polls in 1000 minutes, want 1000 less an eighth or so", n)
		}
	})
}

func TestPollerSlowsDownWhenCallsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &backoff.Poller{Every: time.Minute, Most: 5 * time.Minute, Jitter: -1}
		at := run(t, p, 20*time.Minute, func(_ context.Context, n int) error {
			if n < 4 {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
		if got := fmt.Sprint(at[:7]); got != "[0s 2m0s 6m0s 11m0s 16m0s 17m0s 18m0s]" {
			t.Errorf("polled at %s", got)
		}
	})
}

func TestPollerObeysTheService(t *testing.T) {
	for name, mode := range map[string]backoff.Mode{"waiting": backoff.Wait, "failing fast": backoff.FailFast} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				svc := &service{answer: func(n int, r *http.Request) (*http.Response, error) {
					if n == 1 {
						return reply(r, 200, "X-Sync-Poll", "600")
					}
					return reply(r, 200)
				}}
				tr := &backoff.Transport{Base: svc, Jitter: -1, Mode: mode}
				run(t, &backoff.Poller{Every: time.Minute, Jitter: -1}, 12*time.Minute+30*time.Second, func(ctx context.Context, _ int) error {
					_, err := send(ctx, tr, example)
					return err
				})
				if got := fmt.Sprint(svc.times()); got != "[0s 1m0s 11m0s 12m0s]" {
					t.Errorf("sent at %s", got)
				}
			})
		})
	}
}

func TestSoonDoesNotWaitForTheServiceToBeAtEase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := &service{answer: func(_ int, r *http.Request) (*http.Response, error) { return reply(r, 200, "X-Sync-Poll", "600") }}
		tr := &backoff.Transport{Base: svc, Jitter: -1}
		p := &backoff.Poller{Every: time.Hour, Jitter: -1}
		time.AfterFunc(30*time.Second, func() { p.Soon() })
		run(t, p, 30*time.Minute, func(ctx context.Context, _ int) error {
			_, err := send(ctx, tr, example)
			return err
		})
		if got := fmt.Sprint(svc.times()); got != "[0s 30s]" {
			t.Errorf("sent at %s", got)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := &backoff.Poller{Poll: func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }}
		if err := p.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v", err)
		}
	})
}
