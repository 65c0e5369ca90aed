package syncproto_test

import (
	"testing"

	"github.com/brownout-go/brownout/syncproto"
	"github.com/brownout-go/brownout/syncproto/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) syncproto.Store { return new(syncproto.Memory) })
}
