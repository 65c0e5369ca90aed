// Package mirror is a [syncproto.Store] on two others: it reads and writes the
// first, and copies what was written to the second.
//
//	s, err := mirror.New(mirror.Config{Primary: mysql, Secondary: postgres})
//	defer s.Close()
//	copied, err := s.Repair(ctx) // what was not copied before the last stop
//
// No request waits for the second, or fails with it. What it lacks is copied
// by going from its last time on, never by sending writes again, so that it
// doesn't matter how many it has missed or whether one arrived twice; times and
// uuids are the first's, and clients that are moved over to the second notice
// nothing. What does not go over is the memory of Idempotency-Keys: a write
// whose answer was lost in the move is made again when its client repeats it.
//
// It serves to move from one database to another without stopping, and to have
// a warm copy at hand.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// Config is what a [Store] is made of. Primary and Secondary have to be given.
type Config struct {
	// Primary answers everything.
	Primary syncproto.Directory
	// Secondary is kept like it. Nobody else may write to it. The mirror waits for
	// its answers without a limit, so give a database one, such as a
	// timeout.Backend: a call that hangs holds up a worker.
	Secondary syncproto.Replica
	// Workers is how many collections are copied at the same time. Zero means 4.
	Workers int
	// Pending is how many collections may wait to be copied. If there are more,
	// the mirror forgets which, and compares them all once it has caught up.
	// Zero means 100,000.
	Pending int
	// Retry is how long a worker waits after a failure; the wait doubles at each
	// one in a row, to 64 times as long. Zero means a second.
	Retry time.Duration
	// OnEvent is told of each copy made and each failure, and must not block.
	// Nil tells nobody.
	OnEvent func(Event)
}

// An Event is one attempt to copy a collection.
type Event struct {
	Key     syncproto.Key
	Records int   // copied
	Pending int   // collections that wait to be copied
	Err     error // nil if the secondary now has what the primary had
}

// ErrDiverged says that the secondary has what the primary never had: somebody
// else writes to it, or the primary has lost something. The collection is left
// as it is on both sides; later writes are copied, and what differs stays. To
// begin anew, purge its user from the secondary alone and call Repair.
var ErrDiverged = errors.New("mirror: the secondary is ahead of the primary")

// Store is the mirror. It owns its workers, which Close ends.
type Store struct {
	syncproto.Directory // the primary
	cfg                 Config
	stop                context.CancelFunc
	workers             sync.WaitGroup
	wake                chan struct{}

	mu      sync.Mutex
	status  map[syncproto.Key]status
	queue   []syncproto.Key
	behind  bool                   // some keys were not taken in: compare all
	compare bool                   // and that is being done
	drained chan struct{}          // closed when the secondary has what it can have; nil if nobody waits
	ahead   map[syncproto.Key]bool // have diverged, as many as Pending
	purged  map[string]int         // users that are being purged, and whose collections are left alone
	ended   chan struct{}          // closed when a copy ends; nil if nobody waits
}

// status is that of a collection which the secondary lacks something of.
type status int

const (
	waiting status = iota
	copying
	copyAgain // written to while it is copied
)

const (
	defaultWorkers = 4
	defaultPending = 100_000
	defaultRetry   = time.Second
)

var _ syncproto.Directory = (*Store)(nil)

// New starts a mirror.
func New(c Config) (*Store, error) {
	switch {
	case c.Primary == nil || c.Secondary == nil:
		return nil, errors.New("mirror: Config.Primary and Config.Secondary must be given")
	case c.Workers < 0 || c.Pending < 0 || c.Retry < 0:
		return nil, fmt.Errorf("mirror: Config: Workers %d, Pending %d, Retry %v: must not be negative", c.Workers, c.Pending, c.Retry)
	}
	if c.Workers == 0 {
		c.Workers = defaultWorkers
	}
	if c.Pending == 0 {
		c.Pending = defaultPending
	}
	if c.Retry == 0 {
		c.Retry = defaultRetry
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Store{
		Directory: c.Primary, cfg: c, stop: stop,
		wake:   make(chan struct{}, c.Workers),
		status: make(map[syncproto.Key]status),
		ahead:  make(map[syncproto.Key]bool),
		purged: make(map[string]int),
	}
	for range c.Workers {
		s.workers.Go(func() { s.work(ctx) })
	}
	return s, nil
}

// Close gives up what is being copied and waits for the workers. It leaves both
// stores open. What was not copied is for Repair, of the next mirror; call Sync
// before to have nothing left.
func (s *Store) Close() error {
	s.stop()
	s.workers.Wait()
	return nil
}

// Write implements [syncproto.Store]. A write that fails and happens later all the
// same, as a commit may that was given up on, is copied with the collection's next
// one, or by Repair.
func (s *Store) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	res, err := s.cfg.Primary.Write(ctx, key, w)
	if !errors.Is(err, syncproto.ErrConflict) { // with any other error it may have happened
		s.mark(key)
	}
	return res, err
}

// Pending returns how many collections wait to be copied.
func (s *Store) Pending() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.status)
}

// Sync returns when the secondary has everything that was written before, or
// the context ends. Every write that goes on makes it take longer. An error that
// is [ErrDiverged] says that it has not, because of collections that have diverged
// since New, and that it has all others.
func (s *Store) Sync(ctx context.Context) error {
	s.mu.Lock()
	if s.drained == nil {
		s.drained = make(chan struct{})
	}
	drained := s.drained
	s.settle()
	s.mu.Unlock()
	select {
	case <-drained:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.ahead {
		return fmt.Errorf("%w: in %d collections, one is %q of %q", ErrDiverged, len(s.ahead), key.Collection, key.User)
	}
	return nil
}
