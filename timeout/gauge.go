package timeout

import (
	"context"
	"sync"
)

// A gauge counts what is under way, and knows when nothing is.
type gauge struct {
	mu   sync.Mutex
	n    int64
	idle chan struct{} // closed when n reaches 0; nil if nobody waits
}

func (g *gauge) add(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n += n; g.n == 0 && g.idle != nil {
		close(g.idle)
		g.idle = nil
	}
}

func (g *gauge) load() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.n
}

// wait returns nil once the gauge has been at 0, or the error of ctx.
func (g *gauge) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return nil
	}
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
