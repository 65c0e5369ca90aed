package backoff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maxFile is more than any value needs; what is longer is another file.
const maxFile = 64 << 10

// File is a [Store] in a file, for services on one machine: an operator can
// write it with an editor or with echo. It holds what [Value.MarshalText]
// writes, bare seconds or a JSON object. A file that does not exist is no value.
//
// Set replaces the file atomically, so that a reader never sees half of one,
// and through a temporary file beside it: the folder must be writable. File
// systems know no contexts; one that hangs, as NFS can, holds up its callers, a
// [Source]'s Close among them.
type File struct {
	// Path is the file. Its folder must exist.
	Path string
}

var _ Store = File{}

// Get implements [Store].
func (f File) Get(ctx context.Context) (Value, error) {
	if err := ctx.Err(); err != nil {
		return Value{}, err
	}
	file, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Value{}, ErrNotSet
	}
	if err != nil {
		return Value{}, fmt.Errorf("backoff: read the value: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return Value{}, fmt.Errorf("backoff: read the value: %w", err)
	}
	if len(text) > maxFile {
		return Value{}, fmt.Errorf("backoff: %s is longer than %d bytes: %w", f.Path, maxFile, ErrCorrupt)
	}
	return current(text, f.Path)
}

// current reads a text that names its origin in errors.
func current(text []byte, origin string) (v Value, err error) {
	if err := v.UnmarshalText(text); err != nil {
		return Value{}, fmt.Errorf("%w (in %s)", err, origin)
	}
	if v.ExpiredAt(time.Now()) {
		return Value{}, ErrNotSet
	}
	return v, nil
}

// Set implements [Store].
func (f File) Set(ctx context.Context, v Value) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := v.ValidateAt(time.Now()); err != nil {
		return err
	}
	text, err := v.MarshalText()
	if err != nil {
		return err
	}
	if err := replace(f.Path, append(bytes.TrimSpace(text), '\n')); err != nil {
		return fmt.Errorf("backoff: write the value: %w", err)
	}
	return nil
}

// replace puts a new file in the place of the old one, after it has reached
// the disk.
func replace(path string, text []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = file.Write(text)
	// Servers and operators are different users: CreateTemp's 0600 would hide it.
	err = errors.Join(err, file.Chmod(0o644), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// Del implements [Store].
func (f File) Del(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("backoff: delete the value: %w", err)
	}
	return nil
}
