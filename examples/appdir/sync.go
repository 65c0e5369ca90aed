package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/brownout-go/brownout/syncproto/client"
)

// A syncer keeps one directory in line with the device's copy of the
// collection, and that with the server.
//
// What it knows of the directory, seen, is saved after the device and after the
// files: whatever a crash cuts off is found again as a difference between the
// three, and making the same change twice changes nothing.
type syncer struct {
	opts   options
	state  string // the folder of what is known
	lock   *os.File
	device *client.Device
	seen   map[string]entry // by origin
	out    io.Writer        // what has happened to files
	errs   io.Writer

	saved  []byte            // what of seen is on disk
	looked map[string]string // the sums that the last round found, by origin
	lost   error             // why a version that lost a conflict could not be kept
}

// An entry is a file as it was when the device and it last agreed, or when the
// device was told of it.
type entry struct {
	Name string `json:"name"`
	Sum  string `json:"sum"`
}

func open(ctx context.Context, o options, out, errs io.Writer) (_ *syncer, err error) {
	s := &syncer{opts: o, state: filepath.Join(o.dir, ".appdir"), seen: map[string]entry{}, out: out, errs: errs}
	if info, err := os.Stat(o.dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory", o.dir)
	}
	if err := os.MkdirAll(s.state, 0o700); err != nil {
		return nil, err
	}
	if s.lock, err = lock(filepath.Join(s.state, "lock")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	left, _ := filepath.Glob(filepath.Join(s.state, "new-*"))
	for _, path := range left { // by a process that was killed
		_ = os.Remove(path)
	}
	switch b, err := os.ReadFile(filepath.Join(s.state, "files.json")); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(b, &s.seen); err != nil {
			return nil, fmt.Errorf("%s/files.json: %w; if you remove it, versions that differ become conflicts", s.state, err)
		}
	}
	s.device, err = client.Open(ctx, client.Config{
		URL:        o.url,
		Login:      o.assertion,
		Collection: o.collection,
		Storage:    storage{client.File(filepath.Join(s.state, "device.json")), s},
		HTTP:       &http.Client{Transport: o.transport},
		Merge:      s.merge,
		OnProgress: s.progress,
	})
	return s, err
}

func (s *syncer) close() { _ = s.lock.Close() }

// held says whether this is still the directory that it was. One that is no
// longer mounted has no files, which does not mean that they were removed.
func (s *syncer) held() error {
	mine, err := s.lock.Stat()
	if err != nil {
		return err
	}
	if there, err := os.Stat(s.lock.Name()); err != nil || !os.SameFile(mine, there) {
		return fmt.Errorf("%s is gone, or another one: nothing is synced until it is back; if it was removed on purpose, start appdir again", s.state)
	}
	return nil
}

// sync is one round: directory to device, device to server and back, device to
// directory. What the server could not be asked about is done all the same.
func (s *syncer) sync(ctx context.Context) error {
	files, problems, err := scan(s.opts.dir)
	if err == nil {
		err = s.held()
	}
	if err != nil {
		return err
	}
	s.looked = map[string]string{}
	for origin, f := range files {
		s.looked[origin] = sum(f.doc)
	}
	report, err := s.exchange(ctx, files, problems)
	if s.lost != nil {
		return s.lost // and the device's state is not saved: the files stay as they are
	}
	if e := s.write(problems); e != nil {
		return errors.Join(err, e)
	}
	for _, name := range slices.Sorted(maps.Keys(problems)) {
		err = errors.Join(err, fmt.Errorf("%s: %w", name, problems[name]))
	}
	if report != (client.Report{}) {
		fmt.Fprintf(s.out, "%d pulled, %d pushed, %d changed on both sides\n", report.Pulled, report.Pushed, report.Merged)
	}
	return err
}

// write brings the directory to what the device has. A file that is no longer
// as it was seen is left for the next round.
func (s *syncer) write(problems map[string]error) error {
	docs := s.device.All()
	for _, origin := range slices.Sorted(maps.Keys(docs)) {
		doc, was := docs[origin], s.seen[origin]
		next := entry{was.Name, sum(doc)}
		if was == next {
			continue
		}
		if next.Name == "" {
			if next.Name = s.freeName(origin, doc); next.Name == "" {
				fmt.Fprintf(s.errs, "appdir: no file for %s: remove %s\n", origin, fileName(origin))
				continue
			}
		}
		current, err := readFile(s.opts.dir, next.Name)
		switch gone := errors.Is(err, fs.ErrNotExist); {
		case gone, err == nil && sum(current.doc) == was.Sum:
			if err := replace(s.state, filepath.Join(s.opts.dir, next.Name), pretty(doc), 0o644); err != nil {
				return err
			}
			verb := "changed"
			if gone {
				verb = "new"
			}
			fmt.Fprintf(s.out, "%s: %s\n", verb, next.Name)
		case err != nil || sum(current.doc) != next.Sum:
			continue
		}
		s.seen[origin] = next
	}
	for _, origin := range slices.Sorted(maps.Keys(s.seen)) {
		was := s.seen[origin]
		if docs[origin] != nil || problems[was.Name] != nil {
			continue
		}
		current, err := readFile(s.opts.dir, was.Name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil || sum(current.doc) != was.Sum:
			continue
		default:
			if err := os.Remove(filepath.Join(s.opts.dir, was.Name)); err != nil {
				return err
			}
			if err := flush(s.opts.dir); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "removed: %s\n", was.Name)
		}
		delete(s.seen, origin)
	}
	return s.save()
}

// freeName returns a name for a document that has no file, or one that holds it
// already. It is empty if the names it could have are taken.
func (s *syncer) freeName(origin string, doc json.RawMessage) string {
	for _, name := range []string{fileName(origin), hashedName("app", origin)} {
		f, err := readFile(s.opts.dir, name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && sum(f.doc) == sum(doc) {
			return name
		}
	}
	return ""
}

// save stores what is known of the directory.
func (s *syncer) save() error {
	b, err := json.Marshal(s.seen)
	if err != nil || bytes.Equal(b, s.saved) {
		return err
	}
	err = replace(s.state, filepath.Join(s.state, "files.json"), b, 0o600)
	if err == nil {
		s.saved = b
	}
	return err
}

func (s *syncer) progress(r client.Report) {
	if r.Pulled+r.Pushed >= 1000 {
		fmt.Fprintf(s.errs, "appdir: %d pulled, %d pushed so far\n", r.Pulled, r.Pushed)
	}
}
