//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// lock keeps others off a directory for as long as the file is open. It ends
// with the process, however that ends.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.New("another appdir is at work on the directory")
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}
