package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/brownout-go/brownout/syncproto"
)

// suite is one case on its store.
type suite struct {
	*testing.T
	syncproto.Store
	because string
}

var apps = syncproto.Key{User: "ann@example.com", Collection: "apps"}

// failf ends the case, with the reason for which it is asked.
func (x *suite) failf(format string, args ...any) {
	x.Helper()
	x.Fatalf("%s\nbecause %s", fmt.Sprintf(format, args...), x.because)
}

func (x *suite) ctx() context.Context { return x.T.Context() }

func app(origin, doc string) syncproto.App {
	return syncproto.App{Origin: origin, Doc: json.RawMessage(doc)}
}

func appN(i int) syncproto.App {
	return app(fmt.Sprintf("app%d", i), fmt.Sprintf(`{"origin":"app%d","n":%d}`, i, i))
}

func (x *suite) state(key syncproto.Key) syncproto.State {
	x.Helper()
	st, err := x.State(x.ctx(), key)
	if err != nil {
		x.Fatalf("State: %v", err)
	}
	return st
}

// write writes and demands that it goes through.
func (x *suite) write(key syncproto.Key, w syncproto.Write) syncproto.Result {
	x.Helper()
	res, err := x.Write(x.ctx(), key, w)
	if err != nil {
		x.Fatalf("Write: %v", err)
	}
	return res
}

func (x *suite) push(key syncproto.Key, apps ...syncproto.App) syncproto.Result {
	x.Helper()
	return x.write(key, syncproto.Write{Apps: apps})
}

func (x *suite) delete(key syncproto.Key) syncproto.Result {
	x.Helper()
	return x.write(key, syncproto.Write{Delete: &syncproto.Deletion{ClientID: "phone", Reason: "sold"}})
}

// page is what one Read gave.
type page struct {
	state   syncproto.State
	records []syncproto.Record
	more    bool
}

func (x *suite) read(key syncproto.Key, since syncproto.Time, limit int) page {
	x.Helper()
	p, err := x.tryRead(x.ctx(), key, since, limit)
	if err != nil {
		x.Fatalf("Read: %v", err)
	}
	return p
}

var errOrder = errors.New("storetest: out of order")

// tryRead may be called from any goroutine.
func (x *suite) tryRead(ctx context.Context, key syncproto.Key, since syncproto.Time, limit int) (page, error) {
	var p page
	begun, last := false, since
	more, err := x.Read(ctx, key, since, limit, func(st syncproto.State) error {
		if begun {
			return fmt.Errorf("%w: begin called twice", errOrder)
		}
		begun, p.state = true, st
		return nil
	}, func(r syncproto.Record) error {
		switch {
		case !begun:
			return fmt.Errorf("%w: a record before begin", errOrder)
		case r.Time <= since:
			return fmt.Errorf("%w: a record of %v in a read since %v", errOrder, r.Time, since)
		case r.Time < last:
			return fmt.Errorf("%w: a record of %v after one of %v", errOrder, r.Time, last)
		case r.Time > p.state.Last:
			return fmt.Errorf("%w: a record of %v in a collection whose last write was at %v", errOrder, r.Time, p.state.Last)
		}
		last = max(last, r.Time)
		r.Doc = append(json.RawMessage(nil), r.Doc...)
		p.records = append(p.records, r)
		return nil
	})
	if err == nil && !begun {
		err = fmt.Errorf("%w: begin never called", errOrder)
	}
	p.more = more
	return p, err
}

// until is what a client asks with for what comes after the page, which is the
// time of its last record if there is more. It stays where it is if that is not
// known.
func (p page) until(since syncproto.Time) syncproto.Time {
	if !p.more {
		return p.state.Last
	}
	if n := len(p.records); n > 0 && p.records[n-1].Time != 0 {
		return p.records[n-1].Time
	}
	return since
}

// docs are the documents of a page, in order.
func (p page) docs() []string {
	var all []string
	for _, r := range p.records {
		all = append(all, string(r.Doc))
	}
	return all
}
