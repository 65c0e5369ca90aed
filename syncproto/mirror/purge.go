package mirror

import (
	"context"
	"fmt"
	"maps"

	"github.com/brownout-go/brownout/syncproto"
)

// Purge implements [syncproto.Directory]. Both forget the user; if the
// secondary fails to, so does Purge, and has to be called again. It waits until
// nothing of the user's is being copied, lest that arrive after the purge.
func (s *Store) Purge(ctx context.Context, user string) error {
	d, ok := s.cfg.Secondary.(syncproto.Directory)
	if !ok {
		return fmt.Errorf("mirror: purge: the secondary, a %T, cannot", s.cfg.Secondary)
	}
	defer s.release(user)
	if err := s.hold(ctx, user); err != nil {
		return err
	}
	if err := s.cfg.Primary.Purge(ctx, user); err != nil {
		return err
	}
	if err := d.Purge(ctx, user); err != nil {
		return err
	}
	s.agreed(func(key syncproto.Key) bool { return key.User == user })
	return nil
}

// agreed forgets that collections had diverged.
func (s *Store) agreed(match func(syncproto.Key) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.ahead, func(key syncproto.Key, _ bool) bool { return match(key) })
}

// hold ends the copying of a user's collections, and keeps it from beginning
// until release.
func (s *Store) hold(ctx context.Context, user string) error {
	s.mu.Lock()
	s.purged[user]++
	for s.copied(user) {
		if s.ended == nil {
			s.ended = make(chan struct{})
		}
		ended := s.ended
		s.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return fmt.Errorf("mirror: purge: the secondary has not answered: %w", ctx.Err())
		}
		s.mu.Lock()
	}
	s.mu.Unlock()
	return nil
}

// copied says whether something of the user's is being copied.
func (s *Store) copied(user string) bool {
	for key, st := range s.status {
		if key.User == user && st != waiting {
			return true
		}
	}
	return false
}

func (s *Store) release(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.purged[user]--; s.purged[user] == 0 {
		delete(s.purged, user)
	}
	s.look()
}
