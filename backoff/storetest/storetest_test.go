package storetest_test

import (
	"testing"

	"github.com/brownout-go/brownout/backoff"
	"github.com/brownout-go/brownout/backoff/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) backoff.Store { return new(backoff.Memory) })
}
