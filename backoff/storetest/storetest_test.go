package storetest_test

import (
	"path/filepath"
	"testing"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) backoff.Store { return new(backoff.Memory) })
}

func TestFile(t *testing.T) {
	storetest.Run(t, func(t *testing.T) backoff.Store {
		return backoff.File{Path: filepath.Join(t.TempDir(), "backoff")}
	})
}
