package proxy

import (
	"sync"
	"sync/atomic"
)

// A gate is where one direction of a connection can be held.
type gate struct {
	shut  atomic.Bool
	mu    sync.Mutex
	steps int           // chunks that may pass although it is shut
	moved chan struct{} // closed at the next change; nil while nobody waits
}

// pass waits while the gate is shut. It reports false if done came first.
func (g *gate) pass(done <-chan struct{}) bool {
	for g.shut.Load() {
		g.mu.Lock()
		if g.steps > 0 {
			g.steps--
			g.mu.Unlock()
			return true
		}
		if g.moved == nil {
			g.moved = make(chan struct{})
		}
		moved := g.moved
		shut := g.shut.Load()
		g.mu.Unlock()
		if !shut {
			break
		}
		select {
		case <-moved:
		case <-done:
			return false
		}
	}
	return true
}

func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut.Store(true)
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut.Store(false)
	g.steps = 0
	g.change()
}

func (g *gate) step() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut.Load() {
		g.steps++
		g.change()
	}
}

func (g *gate) change() {
	if g.moved != nil {
		close(g.moved)
		g.moved = nil
	}
}
