package main

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load is traffic through a proxy, as a load test makes it.
type load struct {
	good, bad atomic.Int64
}

func startLoad(t *testing.T, address string) *load {
	l := &load{}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			for ctx.Err() == nil {
				l.ask(ctx, address)
			}
		})
	}
	t.Cleanup(func() { stop(); running.Wait() })
	return l
}

// ask goes on over one connection until it fails.
func (l *load) ask(ctx context.Context, address string) {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	<-pause.C
	conn, err := net.Dial("tcp", address)
	if err != nil {
		l.bad.Add(1)
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	line := []byte(strings.Repeat("x", 2000) + "\n")
	for {
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err = conn.Write(line); err == nil {
			_, err = io.ReadFull(conn, line)
		}
		if err != nil {
			l.bad.Add(1)
			return
		}
		l.good.Add(1)
		<-pause.C
	}
}

// untilMore waits for more exchanges that go well, or badly.
func (b *browser) untilMore(n *atomic.Int64, what string) {
	b.Helper()
	from := n.Load()
	b.wait("traffic that "+what, func() bool { return n.Load() > from+3 })
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
