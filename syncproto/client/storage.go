package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
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

// Save implements [Storage]: it writes a file beside it, of the same name with
// .new at the end, and renames that.
func (f File) Save(_ context.Context, state []byte) (err error) {
	name := string(f) + ".new"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) { // of who was killed
		return fmt.Errorf("client: save: %w", err)
	}
	tmp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("client: save: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(name)
			err = fmt.Errorf("client: save: %w", err)
		}
	}()
	_, err = tmp.Write(state)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(name, string(f)); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // a directory cannot be flushed there
	}
	d, err := os.Open(filepath.Dir(string(f)))
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
