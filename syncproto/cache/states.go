package cache

import (
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"github.com/brownout-go/brownout/internal/recent"
	"github.com/brownout-go/brownout/syncproto"
)

// states are what is remembered.
type states struct {
	cfg  Config
	seed maphash.Seed

	mu     sync.Mutex
	states recent.Map[syncproto.Key, remembered]
	writes [256]uint64 // that have ended, counted by hash of the user
	// doubts are the collections, and users, of writes that may still happen,
	// with what was counted when they failed.
	doubts recent.Map[syncproto.Key, uint64]
}

type remembered struct {
	syncproto.State
	until time.Time // zero for ever
}

func newStates(c Config) *states {
	s := &states{cfg: c, seed: maphash.MakeSeed()}
	s.states.Own, s.doubts.Own = own, own
	return s
}

// own copies a key. The handler's are parts of a request's URL, all of which
// they would keep.
func own(key syncproto.Key) syncproto.Key {
	return syncproto.Key{User: strings.Clone(key.User), Collection: strings.Clone(key.Collection)}
}

// everything stands for all collections of a user; no collection has that name.
func everything(user string) syncproto.Key { return syncproto.Key{User: user} }

// count is the number of writes to the user's collections, and to some others'.
func (s *states) count(key syncproto.Key) *uint64 {
	return &s.writes[maphash.String(s.seed, key.User)%uint64(len(s.writes))]
}

func (s *states) look(key syncproto.Key) (st syncproto.State, ok bool, writes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.states.Get(key, s.cfg.Size)
	if ok && !e.until.IsZero() && !time.Now().Before(e.until) {
		ok = false
	}
	return e.State, ok, *s.count(key)
}

// keep takes in a state that was read when there had been so many writes. If
// there were more meanwhile, it may be from before them.
func (s *states) keep(key syncproto.Key, st syncproto.State, writes uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if *s.count(key) != writes || s.doubted(key) {
		return
	}
	e := remembered{State: st}
	if s.cfg.TTL > 0 {
		e.until = time.Now().Add(s.cfg.TTL)
	}
	s.states.Set(key, e, s.cfg.Size)
}

func (s *states) doubted(key syncproto.Key) bool {
	_, one := s.doubts.Get(key, s.cfg.Size)
	_, all := s.doubts.Get(everything(key.User), s.cfg.Size)
	return one || all
}

// begin is before a write: it returns how many there had been.
func (s *states) begin(key syncproto.Key) (before uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.count(key)
}

// end is after a write that began when there had been so many.
func (s *states) end(key syncproto.Key, before uint64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(key, before, known)
	s.states.Delete(key)
}

func (s *states) purged(user string, before uint64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(everything(user), before, known)
	s.states.DeleteFunc(func(k syncproto.Key) bool { return k.User == user })
}

// settle counts a write. If its outcome is known, so is that of those that had
// failed when it began: a store makes the writes to a collection one after the
// other, and what was given up on comes before it or never.
func (s *states) settle(key syncproto.Key, before uint64, known bool) {
	n := s.count(key)
	*n++
	if !known {
		s.doubts.Set(key, *n, s.cfg.Size)
	} else if at, ok := s.doubts.Get(key, s.cfg.Size); ok && at <= before {
		s.doubts.Delete(key)
	}
}
