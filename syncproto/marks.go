package syncproto

import (
	"context"
	"sync"

	"github.com/brownout-go/brownout/internal/recent"
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

// memoryMarks are [Marks] within one process.
type memoryMarks struct {
	mu    sync.Mutex
	marks recent.Map[string, mark]
	turns uint64
}

type mark struct {
	until Time
	turn  uint64
}

// maxMarks is how many marks are kept, at about 200 bytes each.
const maxMarks = 1 << 16

// Begin implements [Marks].
func (m *memoryMarks) Begin(_ context.Context, name string, since Time) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turns++
	m.marks.Set(name, mark{since, m.turns}, maxMarks)
	return m.turns, nil
}

// Advance implements [Marks].
func (m *memoryMarks) Advance(_ context.Context, name string, turn uint64, until Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k, ok := m.marks.Get(name, maxMarks); ok && k.turn == turn {
		m.marks.Set(name, mark{until, turn}, maxMarks)
	}
	return nil
}

// Mark implements [Marks].
func (m *memoryMarks) Mark(_ context.Context, name string) (Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, _ := m.marks.Get(name, maxMarks)
	return k.until, nil
}
