// Package struck counts the faults that strike a connection, for whoever has it
// dialled: a proxy puts a counter into the context of its dial function, and an
// injector somewhere below finds it there. So the proxy can show the number and
// need not know what an injector is.
package struck

import (
	"context"
	"sync/atomic"
)

type key struct{}

// WithCounter returns a context in which the dialled connection's faults are
// counted in n.
func WithCounter(ctx context.Context, n *atomic.Int64) context.Context {
	return context.WithValue(ctx, key{}, n)
}

// Counter returns the counter of the context, nil if it has none.
func Counter(ctx context.Context) *atomic.Int64 {
	n, _ := ctx.Value(key{}).(*atomic.Int64)
	return n
}
