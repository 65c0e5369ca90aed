package timeout

import (
	"context"
	"sync"
	"sync/atomic"
)

// A gauge counts what is under way, and knows when nothing is.
type gauge struct {
	n atomic.Int64

	mu   sync.Mutex    // taken when n reaches 0, and to wait for that
	idle chan struct{} // closed then; nil if nobody waits
}

func (g *gauge) add(n int64) {
	if g.n.Add(n) > 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.idle != nil { // who waits has looked at n before this came to 0
		close(g.idle)
		g.idle = nil
	}
}

func (g *gauge) load() int64 { return g.n.Load() }

// wait returns nil once the gauge has been at 0, or the error of ctx.
func (g *gauge) wait(ctx context.Context) error {
	g.mu.Lock()
	if g.idle == nil {
		g.idle = make(chan struct{})
	}
	idle := g.idle
	g.mu.Unlock()
	if g.n.Load() == 0 { // nobody else may come to close it
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
