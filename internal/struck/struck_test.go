package struck

import (
	"context"
	"sync/atomic"
	"testing"
)

func TestCounter(t *testing.T) {
	ctx := context.Background()
	if Counter(ctx) != nil {
		t.Error("a context has a counter that nobody gave it")
	}
	var outer, inner atomic.Int64
	ctx = WithCounter(WithCounter(ctx, &outer), &inner)
	if Counter(ctx) != &inner {
		t.Error("the counter is not the last that was given")
	}
}
