package timeout

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
)

// A bulkhead lets so many in at once, and so many more wait for so long.
type bulkhead struct {
	slots  *semaphore.Weighted
	queue  int64
	queued atomic.Int64
}

func newBulkhead(slots, queue int) *bulkhead {
	return &bulkhead{slots: semaphore.NewWeighted(int64(slots)), queue: int64(queue)}
}

// take takes a slot, within wait. Without one it returns why: ReasonFull, ReasonQueue, or
// "" when ctx was cancelled.
func (b *bulkhead) take(ctx context.Context, wait time.Duration) (Reason, bool) {
	if b.slots.TryAcquire(1) {
		return "", true
	}
	defer b.queued.Add(-1)
	if b.queued.Add(1) > b.queue {
		return ReasonFull, false
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	switch {
	case b.slots.Acquire(waiting, 1) == nil:
		return "", true
	case errors.Is(ctx.Err(), context.Canceled):
		return "", false
	default:
		return ReasonQueue, false
	}
}

func (b *bulkhead) free() { b.slots.Release(1) }
