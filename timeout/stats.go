package timeout

import "context"

// Wait waits until no handler is running, and returns nil, or the error of ctx if that
// ends first. It is for shutting down: http.Server.Shutdown does not wait for HTTP/2
// handlers whose requests have been answered, nor for those of responses that were cut
// off. Call it after Shutdown, when no new requests come.
func (l *Limiter) Wait(ctx context.Context) error { return l.inFlight.wait(ctx) }

// Stats are counts of a [Limiter].
type Stats struct {
	InFlight  int64  // handlers running now, abandoned ones included
	Abandoned int64  // of these, running although their clients have been answered
	Queued    int64  // requests waiting for a slot now
	Timeouts  uint64 // requests answered 503 because of the deadline
	Refused   uint64 // requests answered 503 because there was no slot
	Aborted   uint64 // responses cut off
	Gone      uint64 // requests whose clients left first
}

// Stats returns the counts as they are now. It may be called at any time.
func (l *Limiter) Stats() Stats {
	s := Stats{
		InFlight:  l.inFlight.load(),
		Abandoned: l.abandoned.Load(),
		Timeouts:  l.timeouts.Load(),
		Refused:   l.refused.Load(),
		Aborted:   l.aborted.Load(),
		Gone:      l.gone.Load(),
	}
	if l.slots != nil {
		s.Queued = l.slots.queued.Load()
	}
	return s
}
