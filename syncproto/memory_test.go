package syncproto_test

import (
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) syncproto.Store { return new(syncproto.Memory) })
}

// The suite's own tests make many more histories, in virtual time.
func TestMemoryHistories(t *testing.T) {
	storetest.Histories(t, 20, 1, func(*testing.T) []syncproto.Store { return []syncproto.Store{new(syncproto.Memory)} })
}
