package sqlstore

import (
	"context"
	"sync/atomic"

	"github.com/brownout-go/brownout/syncproto"
)

// pair is two stores on one database, as two servers have them: every call
// goes to the other one than the last.
type pair struct {
	stores [2]*Store
	calls  atomic.Int64
}

var (
	_ syncproto.Replica   = (*pair)(nil)
	_ syncproto.Directory = (*pair)(nil)
)

func (p *pair) next() *Store { return p.stores[p.calls.Add(1)%2] }

func (p *pair) State(ctx context.Context, key syncproto.Key) (syncproto.State, error) {
	return p.next().State(ctx, key)
}

func (p *pair) Read(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int, begin func(syncproto.State) error, each func(syncproto.Record) error) (bool, error) {
	return p.next().Read(ctx, key, since, limit, begin, each)
}

func (p *pair) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	return p.next().Write(ctx, key, w)
}

func (p *pair) Apply(ctx context.Context, key syncproto.Key, ch syncproto.Change) error {
	return p.next().Apply(ctx, key, ch)
}

func (p *pair) Users(ctx context.Context, after string, limit int) ([]string, error) {
	return p.next().Users(ctx, after, limit)
}

func (p *pair) Collections(ctx context.Context, user string) ([]syncproto.Usage, error) {
	return p.next().Collections(ctx, user)
}

func (p *pair) Purge(ctx context.Context, user string) error { return p.next().Purge(ctx, user) }
func (p *pair) Ping(ctx context.Context) error               { return p.next().Ping(ctx) }
