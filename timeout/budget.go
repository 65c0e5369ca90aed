package timeout

import (
	"context"
	"strconv"
	"time"
)

// BudgetHeader tells a service how many milliseconds its caller will wait, as a positive
// integer. It is the header that Envoy's router sends to its upstreams.
const BudgetHeader = "X-Envoy-Expected-Rq-Timeout-Ms"

// parseBudget reads a BudgetHeader. What is malformed is ignored: it must not be able to
// shorten or lengthen anything.
func parseBudget(value string) (time.Duration, bool) {
	ms, err := strconv.ParseUint(value, 10, 32)
	return time.Duration(ms) * time.Millisecond, err == nil && ms > 0
}

// WithBudget returns a context that ends after total, or with ctx if that is sooner, with
// an [*Error] as its cause. It gives a job or a queue worker what [Limiter.Handler] gives
// a request: every call to a [Backend] with that context, or one derived from it, takes
// its time from the budget. The caller must call the CancelFunc when the work is done.
func WithBudget(ctx context.Context, total time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, total, &Error{Reason: ReasonDeadline, Limit: total, Elapsed: total})
}

// Remaining returns what is left of ctx's budget, which may be negative, and whether it has
// one; without one it is 0 and false.
func Remaining(ctx context.Context) (time.Duration, bool) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0, false
	}
	return time.Until(deadline), true
}
