package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/brownout-go/brownout/internal/uuid"
	"github.com/brownout-go/brownout/syncproto"
)

// maxRounds are those of pull and push before a sync gives up.
const maxRounds = 8

// Sync pulls what is new and pushes what was changed here. Its errors are those
// of the network and of the context, [StatusError], [DeletedError] and
// [ErrBusy]; after each of them the device is as consistent as before, and the
// next Sync goes on where this one ended. The report is valid also then.
//
// A document that the server refuses whatever it comes with, as too large or not
// of the right form, is named in the error of this Sync and the next ones, and
// does not keep the others from being pushed. It is tried again when it has been
// changed, and by the next process.
func (d *Device) Sync(ctx context.Context) (Report, error) {
	var rep Report
	if err := take(ctx, d.turn); err != nil {
		return rep, err
	}
	defer func() { <-d.turn }()
	defer d.heed()()
	for range maxRounds {
		if err := d.repeat(ctx, &rep); err != nil {
			return rep, err
		}
		if err := d.pull(ctx, &rep); err != nil {
			return rep, err
		}
		done, err := d.push(ctx, &rep)
		if err != nil {
			return rep, err
		}
		if done && d.named() {
			return rep, nil
		}
	}
	return rep, ErrBusy
}

// named says whether the device knows which life of the collection it has
// pushed to. As long as it doesn't, it could not tell that another has begun.
func (d *Device) named() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.st.UUID != "" || d.st.Since == 0
}

// heed notes whether a sync finds the news that Wait has told of.
func (d *Device) heed() (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	told, since := d.told, d.st.Since
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if told {
			d.told, d.vain = false, d.st.Since == since
		}
	}
}

func (d *Device) progress(rep *Report) {
	if d.cfg.OnProgress != nil {
		d.cfg.OnProgress(*rep)
	}
}

// Wait returns nil when there is news to sync, or when the time is up. News that
// a Sync has not found although Wait had told of it is waited for until the time
// is up, so that who syncs and waits in turn is not kept busy by a server that
// contradicts itself.
func (d *Device) Wait(ctx context.Context, most time.Duration) error {
	begin := time.Now()
	d.mu.Lock()
	since := d.st.Since
	d.mu.Unlock()
	var p page
	seconds := strconv.FormatFloat(most.Seconds(), 'f', -1, 64)
	if err := d.call(ctx, request{op: "pull", method: http.MethodGet, query: "?limit=1&since=" + since.String() + "&wait=" + seconds}, &p); err != nil {
		return err
	}
	if len(p.Apps) > 0 || p.Deleted != nil {
		d.mu.Lock()
		vain := d.vain
		d.told = true
		d.mu.Unlock()
		if !vain {
			return nil
		}
	}
	t := time.NewTimer(most - time.Since(begin))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Delete deletes the collection, here and on the server. Other devices are told
// by whom and why.
func (d *Device) Delete(ctx context.Context, by, reason string) error {
	if err := take(ctx, d.turn); err != nil {
		return err
	}
	defer func() { <-d.turn }()
	body, err := json.Marshal(syncproto.Deletion{ClientID: by, Reason: reason})
	if err != nil {
		return err
	}
	if err := d.call(ctx, request{op: "delete", method: http.MethodPost, query: "?delete", body: body, id: uuid.New()}, new(receipt)); err != nil {
		return err
	}
	return d.forget(ctx)
}
