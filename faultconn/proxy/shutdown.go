package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

var (
	errReset  = errors.New("reset by command")
	errClosed = fmt.Errorf("the proxy was closed: %w", net.ErrClosed)
)

// Shutdown closes the listeners and waits for the connections to end by
// themselves. If ctx ends first it leaves them alone and returns an
// [*OpenError] that names them.
func (p *Proxy) Shutdown(ctx context.Context) error {
	p.stop()
	idle := p.wait()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
	}
	if infos := p.infos(); len(infos) > 0 {
		return &OpenError{Conns: infos, Err: ctx.Err()}
	}
	<-idle // nothing is left but what is returning
	return nil
}

// Close closes the listeners and all connections and waits until everything
// that the proxy has started has ended. What keeps it waiting for five seconds
// is told to OnEvent as [Stuck].
func (p *Proxy) Close() error {
	p.stop()
	for _, c := range p.Conns() {
		c.blame(Broken, errClosed)
		c.end(false)
	}
	idle := p.wait()
	for {
		t := time.NewTimer(5 * time.Second)
		select {
		case <-idle:
			t.Stop()
			return nil
		case <-t.C:
			for _, c := range p.Conns() {
				p.emit(Stuck, c, nil)
			}
		}
	}
}

// stop closes the listeners, with p.mu not held.
func (p *Proxy) stop() {
	p.mu.Lock()
	p.init()
	if !p.closing {
		p.closing = true
		close(p.done)
	}
	var listeners []net.Listener
	for l := range p.listeners {
		listeners = append(listeners, l)
	}
	p.mu.Unlock()
	for _, l := range listeners {
		l.Close()
	}
}

// wait returns a channel that is closed once nothing is running, with p.mu
// not held.
func (p *Proxy) wait() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.idle == nil {
		p.idle = make(chan struct{})
		if p.running == 0 {
			close(p.idle)
		}
	}
	return p.idle
}

func (p *Proxy) stopped() {
	p.running--
	if p.running == 0 && p.closing && p.idle != nil {
		close(p.idle)
	}
}

// OpenError is what Shutdown returns if connections stay open. It unwraps to
// the error of the context.
type OpenError struct {
	Conns []Info
	Err   error
}

// Error names the connections, with their age.
func (e *OpenError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "proxy: shutdown: %d connections still open: ", len(e.Conns))
	for i, c := range e.Conns {
		if i == 10 {
			fmt.Fprintf(&b, " and %d more", len(e.Conns)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%v, for %v", c, time.Since(c.Opened).Round(time.Millisecond))
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	return b.String()
}

// Unwrap returns the error of the context.
func (e *OpenError) Unwrap() error { return e.Err }
