package faultconn

import "time"

// clocks arms a timer for each rule that strikes without traffic and has none
// yet. strike is called from the timer's goroutine.
func (v *view) clocks(strike func(*view, *stake)) {
	v.id.mu.Lock()
	defer v.id.mu.Unlock()
	for _, s := range v.rules {
		if ask, _ := s.asks(OpClock); !ask || !s.clocked() || s.clock != nil {
			continue
		}
		at := s.When.moment(s.since, s.opened.Add(s.When.Age))
		s.clock = time.AfterFunc(time.Until(at), func() {
			strike(v, s)
			v.id.mu.Lock()
			defer v.id.mu.Unlock()
			if s.When.Period > 0 && !s.stopped {
				at = s.When.begin(s.since, at).Add(s.When.Period)
				s.clock.Reset(time.Until(at))
			}
		})
	}
}

// begin is when the window began that holds t or is the last before it.
func (w When) begin(start, t time.Time) time.Time {
	first := start.Add(w.After)
	if w.Period == 0 || t.Before(first) {
		return first
	}
	return first.Add(t.Sub(first) / w.Period * w.Period)
}

// moment is the first time from ready on that is in a window. Without Period
// that window may be over, which is found out then.
func (w When) moment(start, ready time.Time) time.Time {
	begin := w.begin(start, ready)
	switch {
	case ready.Before(begin):
		return begin
	case w.Period > 0 && w.Before > 0 && ready.Sub(begin) >= w.Before-w.After:
		return begin.Add(w.Period)
	}
	return ready
}
