package timeout

import (
	"context"
	"net/http"
	"slices"
)

// Keep marks response headers to be sent also with a 503 that the deadline sends: their
// values as they are now. Without it headers that were set inside [Limiter.Handler] are
// dropped, because at that moment they still belong to the handler. It is for middleware
// such as the one that sets X-Request-Id, and does nothing for a ctx that is not a
// request's.
func Keep(ctx context.Context, keys ...string) {
	g, ok := ctx.Value(gateKey{}).(*gate)
	if !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.kept == nil {
		g.kept = make(http.Header)
	}
	for _, key := range keys {
		if values := g.header.Values(key); len(values) > 0 {
			g.kept[http.CanonicalHeaderKey(key)] = slices.Clone(values)
		}
	}
}
