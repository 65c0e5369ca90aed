package behalf

import (
	"context"
	"testing"
)

func TestFrom(t *testing.T) {
	ctx := context.Background()
	if From(ctx) != nil {
		t.Error("a context has a client that nobody gave it")
	}
	var outer, inner Client
	if ctx = Of(Of(ctx, &outer), &inner); From(ctx) != &inner {
		t.Error("the client is not the last that was given")
	}
}
