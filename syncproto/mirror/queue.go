package mirror

import (
	"errors"
	"slices"

	"github.com/brownout-go/brownout/syncproto"
)

// mark has a collection copied.
func (s *Store) mark(key syncproto.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.status[key]
	switch {
	case ok && st == copying:
		s.status[key] = copyAgain
	case ok:
	case len(s.status) >= s.cfg.Pending:
		s.behind = true
	default:
		s.enqueue(key)
	}
}

func (s *Store) enqueue(key syncproto.Key) {
	s.status[key] = waiting
	s.queue = append(s.queue, key)
	s.look()
}

func (s *Store) look() {
	select {
	case s.wake <- struct{}{}:
	default: // all workers have been told to look
	}
}

// next returns the next collection to copy.
func (s *Store) next() (syncproto.Key, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, key := range s.queue {
		if s.purged[key.User] > 0 {
			continue
		}
		if i == 0 {
			s.queue = s.queue[1:]
		} else {
			s.queue = slices.Delete(s.queue, i, i+1)
		}
		s.status[key] = copying
		return key, true
	}
	return syncproto.Key{}, false
}

// done takes note of an attempt, and says whether all has to be compared now.
func (s *Store) done(key syncproto.Key, err error) (compare bool, pending int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		close(s.ended)
		s.ended = nil
	}
	diverged := errors.Is(err, ErrDiverged)
	if diverged && len(s.ahead) < s.cfg.Pending {
		s.ahead[key] = true
	}
	if err != nil && !diverged || s.status[key] == copyAgain {
		s.enqueue(key)
		return false, len(s.status)
	}
	delete(s.status, key)
	if len(s.status) == 0 && s.behind && !s.compare {
		s.behind, s.compare = false, true
		return true, 0
	}
	s.settle()
	return false, len(s.status)
}

// settled says whether the secondary has everything, as far as is known.
func (s *Store) settled() bool { return len(s.status) == 0 && !s.behind && !s.compare }

func (s *Store) settle() {
	if s.settled() && s.drained != nil {
		close(s.drained)
		s.drained = nil
	}
}
