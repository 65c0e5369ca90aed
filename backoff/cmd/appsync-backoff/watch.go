package main

import (
	"context"
	"fmt"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// change is a line of watch -json.
type change struct {
	Time  time.Time      `json:"time"`
	Event string         `json:"event"`
	Value *backoff.Value `json:"value,omitempty"`
	Error string         `json:"error,omitempty"`
}

// watch prints what is set, as a server sees it, and every change until ctx is
// done.
func (c *command) watch(ctx context.Context, store backoff.Store) error {
	ctx, cancel := context.WithCancel(ctx)
	events := make(chan backoff.Event, 16)
	source, err := backoff.NewSource(backoff.SourceConfig{
		Store:   store,
		Every:   c.every,
		Timeout: min(c.timeout, time.Second),
		OnEvent: func(e backoff.Event) {
			select {
			case events <- e:
			case <-ctx.Done(): // nobody prints any more
			}
		},
	})
	if err != nil {
		cancel()
		return err
	}
	defer source.Close()
	defer cancel() // first: Close waits for an event that is being told

	if err := c.report(backoff.Event{Kind: "watching"}); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			if e.Kind == backoff.StoreFailed && e.Failures > 1 {
				continue
			}
			if err := c.report(e); err != nil {
				return err
			}
		}
	}
}

// report prints one event.
func (c *command) report(e backoff.Event) error {
	now := time.Now().UTC().Truncate(time.Second)
	if c.json {
		line := change{Time: now, Event: string(e.Kind)}
		if e.Kind == backoff.ValueChanged {
			line.Value = &e.Value
		}
		if e.Err != nil {
			line.Error = e.Err.Error()
		}
		return c.print(line)
	}
	text := "watching " + c.memcached
	switch e.Kind {
	case backoff.ValueChanged:
		text = e.Value.String()
	case backoff.StoreFailed:
		text = fmt.Sprintf("cannot read: %v", e.Err)
	case backoff.StoreRecovered:
		text = "reading again"
	}
	_, err := fmt.Fprintln(c.out, now.Format(time.RFC3339), text)
	return err
}
