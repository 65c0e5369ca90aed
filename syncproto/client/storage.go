package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Storage keeps the state of one device. Calls do not overlap. The state holds
// the session: whoever reads it can act as the user.
type Storage interface {
	// Load returns what was saved last, nil if nothing was.
	Load(ctx context.Context) ([]byte, error)
	// Save replaces it, wholly or not at all, and returns once it will be there
	// after a crash.
	Save(ctx context.Context, state []byte) error
}

// File is a [Storage] in the file of that name, readable by its owner only. Two
// devices must not share a file.
type File string

// Load implements [Storage].
func (f File) Load(context.Context) ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Save implements [Storage]: it writes a file beside it, and renames that.
func (f File) Save(_ context.Context, state []byte) (err error) {
	dir := filepath.Dir(string(f))
	tmp, err := os.CreateTemp(dir, filepath.Base(string(f))+".*") // 0600
	if err != nil {
		return fmt.Errorf("client: save: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
			err = fmt.Errorf("client: save: %w", err)
		}
	}()
	_, err = tmp.Write(state)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), string(f)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close()) // the rename itself
}

// memory is the Storage of a device that has none.
type memory struct{ state []byte }

func (m *memory) Load(context.Context) ([]byte, error) { return m.state, nil }

func (m *memory) Save(_ context.Context, state []byte) error {
	m.state = state
	return nil
}
