package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/syncproto/client"
)

// look is how often a watched directory is looked at.
const look = time.Second

// watch syncs whenever something changes on either side, until ctx ends or
// there is something that time does not cure. What time may cure is reported
// once, until it changes.
func (s *syncer) watch(ctx context.Context) error {
	said := ""
	for {
		err := s.sync(ctx)
		var deleted *client.DeletedError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &deleted) || s.lost != nil:
			return err
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			fmt.Fprintf(s.errs, "appdir: %v\n", err)
		}
		s.idle(ctx)
		if ctx.Err() != nil {
			return nil
		}
	}
}

// idle returns when there is something to sync, or after opts.every.
func (s *syncer) idle(ctx context.Context) {
	ctx, changed := context.WithCancel(ctx)
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		defer changed()
		for last := "not looked yet"; pause(ctx, look); {
			if now := s.stamps(); now != last {
				if last = now; s.changed() {
					return
				}
			}
		}
	}()
	begin := time.Now()
	if err := s.device.Wait(backoff.Deferrable(ctx), s.opts.every); err != nil {
		pause(ctx, s.opts.every-time.Since(begin)) // the next sync says what is wrong
	}
	changed()
	<-looked
}

// pause waits, and says whether ctx lasted.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// stamps changes when files do, without reading them.
func (s *syncer) stamps() string {
	entries, _ := os.ReadDir(s.opts.dir)
	var b strings.Builder
	for _, e := range entries {
		if info, err := e.Info(); err == nil && !e.IsDir() {
			fmt.Fprintln(&b, e.Name(), info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// changed says whether there is anything in the directory that the last round
// has not seen. What it could not push waits for the next.
func (s *syncer) changed() bool {
	files, problems, err := scan(s.opts.dir)
	if err != nil {
		return true
	}
	for origin, f := range files {
		if now := sum(f.doc); now != s.seen[origin].Sum && now != s.looked[origin] {
			return true
		}
	}
	for origin, was := range s.seen {
		if _, there := files[origin]; !there && problems[was.Name] == nil {
			return true
		}
	}
	return false
}
