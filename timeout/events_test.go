package timeout_test

import (
	"strings"
	"sync"

	"github.com/brownout-go/brownout/timeout"
)

// events keeps what OnEvent is told.
type events struct {
	mu  sync.Mutex
	got []timeout.Event
}

func (l *events) add(e timeout.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, e)
}

// take returns the events so far and forgets them.
func (l *events) take() []timeout.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.got
	l.got = nil
	return got
}

// kinds returns the events so far as "kind reason, kind reason", and forgets them.
func (l *events) kinds() string {
	var all []string
	for _, e := range l.take() {
		all = append(all, strings.TrimSpace(string(e.Kind)+" "+string(e.Reason)))
	}
	return strings.Join(all, ", ")
}
