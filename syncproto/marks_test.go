package syncproto

import (
	"fmt"
	"testing"
)

func TestMarks(t *testing.T) {
	ctx := t.Context()
	var m memoryMarks
	want := func(name string, until Time) {
		t.Helper()
		if got, err := m.Mark(ctx, name); got != until || err != nil {
			t.Errorf("mark of %s: %v, %v; want %v", name, got, err, until)
		}
	}
	want("a", 0)
	first, _ := m.Begin(ctx, "a", 100)
	want("a", 100)
	m.Advance(ctx, "a", first, 200)
	want("a", 200)
	want("b", 0)

	// The client gives up on an answer and asks again: what the first answer
	// held may never have arrived, whichever of the two is done first.
	lost, _ := m.Begin(ctx, "a", 200)
	again, _ := m.Begin(ctx, "a", 200)
	m.Advance(ctx, "a", again, 300)
	m.Advance(ctx, "a", lost, 400)
	want("a", 300)
}

// A mark that was forgotten counts as having seen nothing.
func TestMarksAreBounded(t *testing.T) {
	ctx := t.Context()
	var m memoryMarks
	for i := range 2 * maxMarks {
		m.Begin(ctx, "kept", 7)
		m.Begin(ctx, fmt.Sprint(i), Time(i))
	}
	if got, _ := m.Mark(ctx, "kept"); got != 7 {
		t.Errorf("a mark in use was forgotten")
	}
	if got, _ := m.Mark(ctx, "10"); got != 0 {
		t.Errorf("a mark out of use was kept: %v", got)
	}
	if turn, _ := m.Begin(ctx, "10", 1); turn == 0 {
		t.Errorf("a turn of zero")
	}
}
