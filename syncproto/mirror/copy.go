package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// pageApps and pageBytes are how much is copied, and held in memory, at a time:
// so many records, and of one write that is larger all.
const (
	pageApps  = 500
	pageBytes = 4 << 20
)

// errFull ends a read at so many bytes.
var errFull = errors.New("mirror: enough for now")

// work copies collections until the context ends.
func (s *Store) work(ctx context.Context) {
	failures := 0
	for {
		key, ok := s.next()
		if !ok {
			select {
			case <-s.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		n, err := s.copy(ctx, key)
		retry := err != nil && !errors.Is(err, ErrDiverged)
		compare, pending := s.done(key, err)
		if ctx.Err() != nil {
			return
		}
		s.tell(Event{Key: key, Records: n, Pending: pending, Err: err})
		if compare {
			_, err := s.Repair(ctx)
			s.compared(key, err)
			retry = err != nil
		}
		if !retry {
			failures = 0
			continue
		}
		failures++
		if !sleep(ctx, s.cfg.Retry<<min(failures-1, 6)) {
			return
		}
	}
}

func (s *Store) tell(e Event) {
	if s.cfg.OnEvent != nil {
		s.cfg.OnEvent(e)
	}
}

// compared ends a comparison. One that failed is made again after the next copy,
// and so there has to be one.
func (s *Store) compared(key syncproto.Key, err error) {
	s.mu.Lock()
	s.compare = false
	s.behind = s.behind || err != nil
	s.settle()
	s.mu.Unlock()
	if err != nil {
		s.mark(key)
		s.tell(Event{Err: err})
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// copy brings a collection of the secondary up to date, and returns how many
// records it took.
func (s *Store) copy(ctx context.Context, key syncproto.Key) (records int, err error) {
	for {
		there, err := s.cfg.Secondary.State(ctx, key)
		if err != nil {
			return records, fmt.Errorf("mirror: secondary: %w", err)
		}
		ch, same, err := s.change(ctx, key, there)
		if err != nil || same {
			return records, err
		}
		if err := s.cfg.Secondary.Apply(ctx, key, ch); err != nil {
			return records, fmt.Errorf("mirror: secondary: %w", err)
		}
		if there.UUID != ch.UUID || ch.Deleted != nil { // nothing is left of what it was
			s.agreed(func(k syncproto.Key) bool { return k == key })
		}
		records += len(ch.Records)
	}
}

// change reads from the primary what comes next after there.
func (s *Store) change(ctx context.Context, key syncproto.Key, there syncproto.State) (ch syncproto.Change, same bool, err error) {
	here, err := s.cfg.Primary.State(ctx, key)
	switch {
	case err != nil:
		return ch, false, fmt.Errorf("mirror: primary: %w", err)
	case here.Last == there.Last && (here.UUID == there.UUID || here.Last == 0):
		return ch, true, nil
	case here.Last <= there.Last:
		return ch, false, fmt.Errorf("%w: %v, %v", ErrDiverged, there.Last, here.Last)
	case here.Deleted != nil:
		return syncproto.Change{State: here}, false, nil
	}
	since := there.Last
	if here.UUID != there.UUID {
		since = 0
	}
	bytes, last := 0, syncproto.Time(0)
	more, err := s.cfg.Primary.Read(ctx, key, since, pageApps, func(st syncproto.State) error {
		ch.State = st
		return nil
	}, func(r syncproto.Record) error {
		if bytes >= pageBytes && r.Time != last {
			return errFull
		}
		r.Doc = slices.Clone(r.Doc)
		bytes, last = bytes+len(r.Doc), r.Time
		ch.Records = append(ch.Records, r)
		return nil
	})
	if errors.Is(err, errFull) {
		more, err = true, nil
	}
	if err != nil {
		return ch, false, fmt.Errorf("mirror: primary: %w", err)
	}
	if ch.UUID != here.UUID { // another life since: since was not for this one
		return s.change(ctx, key, there)
	}
	if more {
		ch.Last = ch.Records[len(ch.Records)-1].Time
	}
	return ch, false, nil
}

// Repair compares all collections and returns how many the secondary lacked
// something of; Sync then waits until it has it. Call it at the start, for what
// a stop or a crash left uncopied.
func (s *Store) Repair(ctx context.Context) (found int, err error) {
	for after := ""; ; {
		users, err := s.cfg.Primary.Users(ctx, after, 100)
		if err != nil {
			return found, fmt.Errorf("mirror: repair: primary: %w", err)
		}
		for _, user := range users {
			all, err := s.cfg.Primary.Collections(ctx, user)
			if err != nil {
				return found, fmt.Errorf("mirror: repair: primary: %w", err)
			}
			for _, u := range all {
				key := syncproto.Key{User: user, Collection: u.Collection}
				there, err := s.cfg.Secondary.State(ctx, key)
				if err != nil {
					return found, fmt.Errorf("mirror: repair: secondary: %w", err)
				}
				if there.Last != u.Last || there.UUID != u.UUID && u.Last != 0 {
					found++
					s.mark(key)
				}
			}
			after = user
		}
		if len(users) == 0 {
			return found, nil
		}
	}
}
