package backoff

import (
	"context"
	"sync"
	"time"
)

// Memory is a [Store] within the process: for a service of one server whose
// operator reaches it through a page or a signal, and for tests. The zero
// value is empty and ready for use; it must not be copied after first use.
type Memory struct {
	mu    sync.Mutex
	set   bool
	value Value
}

var _ Store = (*Memory)(nil)

// Get implements [Store].
func (m *Memory) Get(ctx context.Context) (Value, error) {
	if err := ctx.Err(); err != nil {
		return Value{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.set || m.value.ExpiredAt(time.Now()) {
		return Value{}, ErrNotSet
	}
	return m.value, nil
}

// Set implements [Store].
func (m *Memory) Set(ctx context.Context, v Value) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := v.ValidateAt(time.Now()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set, m.value = true, v
	return nil
}

// Del implements [Store].
func (m *Memory) Del(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set, m.value = false, Value{}
	return nil
}
