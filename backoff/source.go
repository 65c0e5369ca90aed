package backoff

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of [SourceConfig]. With these a value that an operator sets is in
// force on every server within 1.3 seconds, and a service of a thousand
// servers asks its store about a thousand times a second.
const (
	DefaultEvery    = time.Second
	DefaultTimeout  = 100 * time.Millisecond
	DefaultMaxStale = 5 * time.Minute
)

// errClosed is what Refresh returns on a closed source.
var errClosed = errors.New("backoff: the source is closed")

// SourceConfig configures a [Source]. Only Store is required.
type SourceConfig struct {
	// Store is what the source reads.
	Store Store

	// Every is the time between two readings, varied by a fifth either way. 0
	// means [DefaultEvery].
	Every time.Duration

	// Timeout bounds one reading. 0 means [DefaultTimeout].
	Timeout time.Duration

	// MaxStale is how long the last value read stays in force while the store
	// fails. 0 means [DefaultMaxStale].
	MaxStale time.Duration

	// MinHold is how long a value stays in force after it was last read when
	// the store answers that it has none any more. A memcached that restarts or
	// evicts the value gives that answer, in the middle of the trouble the value
	// was set for. The price is that a deliberate delete takes as long; setting
	// the value to zero seconds is obeyed at once. 0 means not at all.
	MinHold time.Duration

	// OnEvent, if not nil, is told what the source meets: see [Event].
	OnEvent func(Event)
}

// A Source keeps a copy of a [Store]'s value up to date. Current reads the copy
// and never waits; one goroutine, which Close stops, reads the store.
//
//   - A value that was read is in force until another one is, until its Until
//     passes (a store that hangs just then can add up to twice Timeout), or until
//     the source is closed.
//   - A store that answers "no value" ends it at once (but see MinHold).
//   - So does one that answers with a value that cannot be understood.
//   - A store that fails or does not answer in time leaves it in force for
//     MaxStale after the last good reading.
type Source struct {
	config  SourceConfig
	value   atomic.Pointer[Value] // nil when there is none
	refresh chan chan<- error
	cancel  context.CancelFunc
	done    chan struct{}

	mu     sync.Mutex
	status Status // but for Value

	// run's own
	seen  time.Time     // when the value in force was last read
	asked <-chan answer // the store's; nil if it is not being asked
}

// Status is what a [Source] knows, for a page or a readiness check.
type Status struct {
	Value    Value     // in force now, as Current has it
	ReadAt   time.Time // when the store last answered; zero if it never did
	Err      error     // why the last reading failed; nil if it did not
	Failures int       // readings that failed in a row
}

// NewSource starts a source. The first reading begins at once, in the
// background: until it ends no value is in force. Call Refresh to wait for it.
// The caller must call Close.
func NewSource(c SourceConfig) (*Source, error) {
	if c.Store == nil {
		return nil, errors.New("backoff: SourceConfig.Store is nil: give it a store, &backoff.Memory{} for one in memory")
	}
	for _, d := range []struct {
		name     string
		value    *time.Duration
		fallback time.Duration
	}{
		{"Every", &c.Every, DefaultEvery},
		{"Timeout", &c.Timeout, DefaultTimeout},
		{"MaxStale", &c.MaxStale, DefaultMaxStale},
		{"MinHold", &c.MinHold, 0},
	} {
		if *d.value < 0 {
			return nil, fmt.Errorf("backoff: SourceConfig.%s is %v: it must not be negative", d.name, *d.value)
		}
		if *d.value == 0 {
			*d.value = d.fallback
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Source{
		config:  c,
		refresh: make(chan chan<- error),
		cancel:  cancel,
		done:    make(chan struct{}),
	}
	go s.run(ctx)
	return s, nil
}

// Current returns the value in force; the zero Value if there is none. It never
// waits: it costs one atomic load, and the copy of a Value if there is one.
func (s *Source) Current() Value {
	if v := s.value.Load(); v != nil {
		return *v
	}
	return Value{}
}

// Status returns what the source knows.
func (s *Source) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status
	st.Value = s.Current()
	return st
}

// Refresh reads the store now and returns when the reading has taken effect:
// after a Set in the same process, or at the start of a program that wants the
// value before its first request. The error is the store's, nil if it answered
// that there is no value.
func (s *Source) Refresh(ctx context.Context) error {
	reply := make(chan error, 1)
	select {
	case s.refresh <- reply:
	case <-s.done:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("backoff: refresh: %w", ctx.Err())
	}
	select {
	case err := <-reply:
		return err
	case <-s.done:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("backoff: refresh: %w", ctx.Err())
	}
}

// Close stops reading and waits until the reading under way, if any, has
// ended: for ever, if the store hangs and does not honour its context. No value
// is in force afterwards. Closing again does nothing. Close does not close the
// store.
func (s *Source) Close() error {
	s.cancel()
	<-s.done
	return nil
}
