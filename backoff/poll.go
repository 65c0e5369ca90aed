package backoff

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// spread is by how much of Every the time between two readings varies, either
// way, so that servers started together do not read together.
const spread = 0.2

// run is the source's goroutine: the only one that has the store read and
// changes the value.
func (s *Source) run(ctx context.Context) {
	defer close(s.done)
	defer func() {
		if s.asked != nil {
			<-s.asked
		}
	}()
	defer s.value.Store(nil)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var reply chan<- error
		select {
		case <-ctx.Done():
			return
		case reply = <-s.refresh:
		case <-timer.C:
		}
		s.expire()
		err := s.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if reply != nil {
			reply <- err
		}
		timer.Reset(s.pause())
	}
}

// pause is how long to wait before the next reading: about Every, and no
// longer than the value in force has to live.
func (s *Source) pause() time.Duration {
	d := time.Duration(float64(s.config.Every) * (1 - spread + 2*spread*rand.Float64()))
	if v := s.value.Load(); v != nil && !v.Until.IsZero() {
		d = min(d, max(time.Until(v.Until), 0))
	}
	return d
}

// expire takes a value whose Until has passed out of force without asking the
// store, which may be slow to answer.
func (s *Source) expire() {
	if v := s.value.Load(); v != nil && v.ExpiredAt(time.Now()) {
		s.put(Value{}, nil)
	}
}

// answer is what the store returned.
type answer struct {
	value Value
	err   error
}

var errStuck = errors.New("backoff: the store neither answers nor gives up when it is told to")

// ask reads the store, on a goroutine of its own: one that does not honour its
// context must not keep a value in force for ever. It is not asked again before
// it has answered.
func (s *Source) ask(ctx context.Context) (Value, error) {
	if s.asked == nil {
		get, cancel := context.WithTimeout(ctx, s.config.Timeout)
		asked := make(chan answer, 1)
		go func() {
			defer cancel()
			v, err := s.config.Store.Get(get)
			asked <- answer{v, err}
		}()
		s.asked = asked
	}
	patience := time.NewTimer(2 * s.config.Timeout)
	defer patience.Stop()
	select {
	case a := <-s.asked:
		s.asked = nil
		return a.value, a.err
	case <-patience.C:
		return Value{}, errStuck
	}
}

// read asks the store once and acts upon the answer. It returns the store's
// error, nil for ErrNotSet.
func (s *Source) read(ctx context.Context) error {
	v, err := s.ask(ctx)
	if ctx.Err() != nil {
		return errClosed // whatever the store made of being interrupted
	}
	now := time.Now()
	if err == nil && v.ExpiredAt(now) {
		err = ErrNotSet // the store's clock is behind
	}
	unseen := now.Sub(s.seen)
	switch {
	case err == nil:
		s.seen = now
		s.record(now, nil)
		s.put(v, nil)
	case errors.Is(err, ErrNotSet):
		err = nil
		s.record(now, nil)
		if unseen >= s.config.MinHold {
			s.put(Value{}, nil)
		}
	case errors.Is(err, ErrCorrupt):
		s.record(now, err)
		if unseen >= s.config.MinHold {
			s.put(Value{}, err)
		}
	default:
		s.record(time.Time{}, err)
		if unseen >= s.config.MaxStale {
			s.put(Value{}, err)
		}
	}
	return err
}

// record notes how a reading ended; answered is when, zero if the store gave
// no answer.
func (s *Source) record(answered time.Time, err error) {
	s.mu.Lock()
	before := s.status.Failures
	if !answered.IsZero() {
		s.status.ReadAt = answered
	}
	s.status.Err = err
	if err != nil {
		s.status.Failures++
	} else {
		s.status.Failures = 0
	}
	s.mu.Unlock()

	switch {
	case err != nil:
		s.emit(Event{Kind: StoreFailed, Value: s.Current(), Err: err, Failures: before + 1})
	case before > 0:
		s.emit(Event{Kind: StoreRecovered, Value: s.Current(), Failures: before})
	}
}

// put changes the value in force; why is the error that took it away, if any.
func (s *Source) put(v Value, why error) {
	before := s.Current()
	if v.equal(before) {
		return
	}
	if v.IsZero() {
		s.value.Store(nil)
	} else {
		s.value.Store(&v)
	}
	s.emit(Event{Kind: ValueChanged, Value: v, Previous: before, Err: why})
}

func (s *Source) emit(e Event) {
	if s.config.OnEvent != nil {
		s.config.OnEvent(e)
	}
}
