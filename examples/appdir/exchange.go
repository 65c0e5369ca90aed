package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"

	"github.com/brownout-go/brownout/syncproto/client"
)

// exchange brings device and server to what the directory has, in as many
// pushes as it takes, and the device to what the server has.
func (s *syncer) exchange(ctx context.Context, files map[string]file, problems map[string]error) (all client.Report, err error) {
	var server *limits // asked for when there is something to push
	for more := true; more; {
		if more, err = s.take(ctx, &server, files, problems); err != nil {
			return all, err
		}
		report, err := s.device.Sync(ctx)
		var deleted *client.DeletedError
		if errors.As(err, &deleted) && s.opts.revive {
			if err = s.device.Revive(ctx); err == nil {
				report, err = s.device.Sync(ctx)
			}
		}
		all.Pulled += report.Pulled
		all.Pushed += report.Pushed
		all.Merged += report.Merged
		if err != nil {
			return all, advised(err)
		}
	}
	return all, nil
}

// advised adds what to do about an error of the server that time does not cure.
func advised(err error) error {
	var deleted *client.DeletedError
	var status *client.StatusError
	switch {
	case errors.As(err, &deleted):
		return fmt.Errorf("%w; use -revive to make it anew of what is here, or remove .appdir and the files", err)
	case errors.As(err, &status) && status.Status == http.StatusForbidden:
		return fmt.Errorf("%w; the server keeps what it has, and takes nothing until files are removed, here or elsewhere", err)
	}
	return err
}

// take tells the device what has changed in the directory, up to what the
// server takes in one push, and says whether there is more.
func (s *syncer) take(ctx context.Context, server **limits, files map[string]file, problems map[string]error) (more bool, err error) {
	var set batch
	for _, origin := range slices.Sorted(maps.Keys(files)) {
		f, have := files[origin], s.device.Get(origin)
		now, was := entry{f.name, sum(f.doc)}, s.seen[origin]
		switch held := sum(have); {
		case have != nil && held == now.Sum: // nothing new, or told before a crash
		case now.Sum == was.Sum: // the device's is newer
		case have != nil && held != was.Sum: // both are new
			if err := s.keep(now.Name, f.doc); err != nil {
				return false, err
			}
		case more:
			continue // its turn comes with the next push
		default:
			if *server == nil {
				l, err := fetchLimits(ctx, s.opts)
				if err != nil {
					return false, err
				}
				*server = &l
			}
			if err := (*server).check(f); err != nil {
				problems[f.name] = err
				continue
			}
			if !set.add(**server, f.doc) {
				more = true
				continue
			}
		}
		s.seen[origin] = now
	}
	var removed []string
	for origin, was := range s.seen {
		if _, there := files[origin]; there || problems[was.Name] != nil {
			continue
		}
		if f, err := readFile(s.opts.dir, was.Name); err == nil && f.origin == origin || err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // an editor was at it
		}
		if have := s.device.Get(origin); have != nil && sum(have) == was.Sum {
			removed = append(removed, origin)
		}
		delete(s.seen, origin)
	}
	if len(set.docs) > 0 {
		if err := s.device.Set(ctx, set.docs...); err != nil {
			return false, err
		}
	}
	if len(removed) > 0 {
		if err := s.device.Remove(ctx, removed...); err != nil {
			return false, err
		}
	}
	return more, s.save()
}
