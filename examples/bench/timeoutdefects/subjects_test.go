package timeoutdefects

import (
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	failsafetimeout "github.com/failsafe-go/failsafe-go/timeout"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/brownout-go/brownout/timeout"
)

// A subject is a middleware as its users would set it up.
type subject struct {
	name string

	// wrap holds h to dt.
	wrap func(h http.Handler, dt time.Duration) http.Handler

	// limited does so with at most n handlers at once; nil if the library has no such limit.
	limited func(h http.Handler, dt time.Duration, n int) http.Handler
}

var subjects = []subject{
	{
		name: "timeout",
		wrap: func(h http.Handler, dt time.Duration) http.Handler {
			return ours(timeout.Config{Total: dt, Grace: dt / 10, RetryAfter: retryAfter}, h)
		},
		limited: func(h http.Handler, dt time.Duration, n int) http.Handler {
			return ours(timeout.Config{Total: dt, Slots: n}, h)
		},
	},
	{
		name: "http.TimeoutHandler",
		wrap: func(h http.Handler, dt time.Duration) http.Handler {
			return http.TimeoutHandler(h, dt, `{"error":"timeout"}`)
		},
	},
	{
		name: "chi",
		wrap: func(h http.Handler, dt time.Duration) http.Handler {
			return middleware.Timeout(dt)(h)
		},
		limited: func(h http.Handler, dt time.Duration, n int) http.Handler {
			return middleware.ThrottleBacklog(n, 0, dt)(middleware.Timeout(dt)(h))
		},
	},
	{
		name: "failsafehttp",
		wrap: func(h http.Handler, dt time.Duration) http.Handler {
			return failsafehttp.NewHandler(h, failsafetimeout.New[*http.Response](dt))
		},
		limited: func(h http.Handler, dt time.Duration, n int) http.Handler {
			return failsafehttp.NewHandler(h, failsafetimeout.New[*http.Response](dt), bulkhead.New[*http.Response](uint(n)))
		},
	},
}

func ours(c timeout.Config, h http.Handler) http.Handler {
	l, err := timeout.New(c)
	if err != nil {
		panic(err)
	}
	return l.Handler(h)
}

func retryAfter(*timeout.Error) time.Duration { return 30 * time.Second }
