// Package behalf tells an injector for whom a connection is dialled: a proxy
// puts its client into the context of its dial function, and an injector
// somewhere below finds it there. So plans can choose by clients and events can
// name them, and the proxy can show how many faults have struck, though neither
// knows the other.
package behalf

import (
	"context"
	"sync/atomic"
)

// Client is who waits for the connection.
type Client struct {
	Addr   string
	Faults atomic.Int64 // that have struck it so far
}

type key struct{}

// Of returns a context for dialling on behalf of a client.
func Of(ctx context.Context, c *Client) context.Context { return context.WithValue(ctx, key{}, c) }

// From returns the client of the context, nil if it has none.
func From(ctx context.Context) *Client {
	c, _ := ctx.Value(key{}).(*Client)
	return c
}
