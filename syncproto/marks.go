package syncproto

import (
	"context"
	"sync"
)

// Marks remembers, for each session and collection, up to which time the client
// has everything. The first clients take the received of a push as their next
// since; if somebody else wrote between their pull and their push, a received
// after that write would hide it from them for ever. With the mark the handler
// knows, and answers the mark instead.
//
// What is lost costs clients a repeated download, never an update: of a session
// without a mark the handler takes it that it has seen nothing. Errors are
// reported in an [Event] and otherwise count as that. Calls are concurrent;
// names are opaque and at most 512 bytes.
type Marks interface {
	// Begin sets the mark to what the client says it has, and returns a turn,
	// which is not zero and not that of an earlier Begin of the name.
	Begin(ctx context.Context, name string, since Time) (turn uint64, err error)
	// Advance moves the mark to until if no other Begin has happened since that
	// turn: an answer that was given up on must not count as received.
	Advance(ctx context.Context, name string, turn uint64, until Time) error
	// Mark returns the mark, zero if there is none.
	Mark(ctx context.Context, name string) (Time, error)
}

// MemoryMarks are [Marks] within one process. The zero MemoryMarks is ready to
// use; it must not be copied.
type MemoryMarks struct {
	// Size is how many marks are kept at the most, at about 200 bytes each.
	// The ones not used for longest go first. Zero means 65,536.
	Size int

	mu    sync.Mutex
	marks recent[string, mark]
	turns uint64
}

type mark struct {
	until Time
	turn  uint64
}

const defaultMarks = 1 << 16

func (m *MemoryMarks) size() int {
	if m.Size <= 0 {
		return defaultMarks
	}
	return m.Size
}

// Begin implements [Marks].
func (m *MemoryMarks) Begin(_ context.Context, name string, since Time) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turns++
	m.marks.set(name, mark{since, m.turns}, m.size())
	return m.turns, nil
}

// Advance implements [Marks].
func (m *MemoryMarks) Advance(_ context.Context, name string, turn uint64, until Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.marks.get(name, m.size()); ok && k.turn == turn {
		m.marks.set(name, mark{until, turn}, m.size())
	}
	return nil
}

// Mark implements [Marks].
func (m *MemoryMarks) Mark(_ context.Context, name string) (Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, _ := m.marks.get(name, m.size())
	return k.until, nil
}
