package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/brownout-go/brownout/syncproto/client"
)

// merge is the rule for documents that changed here and on the server: a change
// beats a removal, and of two changes the server's keeps the file.
func (s *syncer) merge(origin string, local, remote json.RawMessage) json.RawMessage {
	switch {
	case local == nil:
		return remote
	case remote == nil:
		return local
	}
	name := s.seen[origin].Name
	if name == "" {
		name = fileName(origin)
	}
	if err := s.keep(name, local); err != nil && s.lost == nil {
		s.lost = err
	}
	return remote
}

// keep puts a version that lost beside the file that it was in.
func (s *syncer) keep(name string, doc json.RawMessage) error {
	stem, text := strings.TrimSuffix(name, ".json")+".conflict-"+sum(doc)[:8], pretty(doc)
	beside := stem
	for n := 2; ; n++ {
		b, err := os.ReadFile(filepath.Join(s.opts.dir, beside))
		if err != nil || bytes.Equal(b, text) {
			break
		}
		beside = fmt.Sprintf("%s-%d", stem, n) // that one has been edited since
	}
	if err := replace(s.state, filepath.Join(s.opts.dir, beside), text, 0o644); err != nil {
		return fmt.Errorf("keep what was changed here: %w", err)
	}
	fmt.Fprintf(s.out, "conflict: %s has what was changed elsewhere, %s what was changed here\n", name, beside)
	return nil
}

// storage is the device's file. It takes no state in which a version is given
// up that could not be kept.
type storage struct {
	client.File
	s *syncer
}

func (st storage) Save(ctx context.Context, state []byte) error {
	if st.s.lost != nil {
		return st.s.lost
	}
	return st.File.Save(ctx, state)
}
