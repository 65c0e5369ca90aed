package adaptive

import "time"

// shedder computes the share of requests to refuse.
type shedder struct {
	asked    window // requests
	begun    window // those that reached the handler
	ended    window // those that the handler has answered
	accepted window // those that it has answered with success
	share    float64
}

func newShedder() shedder {
	w := func() window { return newWindow(31, time.Second) }
	return shedder{asked: w(), begun: w(), ended: w(), accepted: w()}
}

func (s *shedder) update(now time.Time, c *Config, measured float64) {
	// What the handler has not answered yet is neither.
	refused := max(s.asked.total(now)-s.begun.total(now), 0)
	requests := refused + s.ended.total(now)
	share := (requests - c.ShedRatio*s.accepted.total(now)) / (requests + 1)
	if measured < c.ShedFloor {
		share = 0
	}
	s.share = min(max(share, 0), c.MaxShed)
}
