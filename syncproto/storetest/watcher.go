package storetest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

// watcher waits for news, in a pull or at a stream of events, and then reads it.
type watcher struct {
	*historyDevice
	wire *wire
}

func (w *watcher) run(ctx context.Context) error {
	w.places = []place{w.wire}
	for range serviceActs {
		key := w.keys[w.rng.IntN(len(w.keys))]
		var err error
		if w.rng.IntN(2) == 0 {
			err = w.pull(ctx, key)
		} else {
			err = w.listen(ctx, key)
		}
		if final(err) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			w.h.failed()
		}
		if _, err := w.read(ctx, key, w.since[key], 0); err != nil {
			return err
		}
	}
	return nil
}

// pull waits in a pull.
func (w *watcher) pull(ctx context.Context, key syncproto.Key) error {
	r := &readOp{span: span{begin: w.h.tick()}, asked: time.Now(), device: w.n, key: key, since: w.since[key]}
	p, late, err := w.wire.pull(ctx, key, r.since, "&wait=0.05")
	if err != nil {
		return err
	}
	r.page, r.late = p, late
	w.h.read(r)
	w.since[key] = p.until(r.since)
	return nil
}

// listen waits for an event, but not for long.
func (w *watcher) listen(ctx context.Context, key syncproto.Key) error {
	auth, err := w.wire.login(ctx, key.User)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	url := fmt.Sprintf("%s/collections/%s/%s?since=%v", serviceURL, key.User, key.Collection, w.since[key])
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return err
	}
	req.Header = http.Header{"Authorization": {auth}, "Accept": {"text/event-stream"}}
	t := &tellOp{span: span{begin: w.h.tick()}, key: key}
	res, err := w.wire.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusServiceUnavailable {
		return errAgain
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != 200 || kind != "text/event-stream" {
		return fmt.Errorf("%w: a stream: %d %s", errAnswer, res.StatusCode, kind)
	}
	data := ""
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			data = d
		}
		if lines.Text() != "" || data == "" { // it is an event when it has ended
			continue
		}
		var v struct{ Until syncproto.Time }
		if err := json.Unmarshal([]byte(data), &v); err != nil || v.Until <= w.since[key] {
			return fmt.Errorf("%w: an event %s since %v: %v", errAnswer, data, w.since[key], err)
		}
		t.until = v.Until
		w.h.told(t)
		return nil
	}
	return nil // nothing happened, or the stream broke
}

// intruder asks for what it may not: more than the limits allow, what makes no
// sense, and what is somebody else's.
type intruder struct {
	*historyDevice
	wire *wire
}

func (x *intruder) run(ctx context.Context) error {
	other := "other." + x.keys[0].User
	for i := range serviceActs {
		key := x.keys[x.rng.IntN(len(x.keys))]
		doc := func(n int) string { return fmt.Sprintf(`{"origin":"app%d","by":"intruder"}`, n) }
		var err error
		switch i % 4 {
		case 0:
			body := "[" + strings.Join([]string{doc(0), doc(1), doc(2), doc(3), doc(4), doc(5), doc(6)}, ",") + "]"
			_, err = x.wire.do(ctx, "POST", key, "", http.Header{}, []byte(body), http.StatusRequestEntityTooLarge)
		case 1:
			_, err = x.wire.do(ctx, "POST", key, "", http.Header{}, []byte("["+doc(0)+",{}]"), http.StatusBadRequest)
		case 2:
			_, err = x.wire.do(ctx, "GET", key, "since=x", http.Header{}, nil, http.StatusBadRequest)
		case 3: // with a session of another user, or with its token under this name
			var auth string
			if auth, err = x.wire.login(ctx, other); err == nil {
				if x.rng.IntN(2) == 0 {
					name := base64.URLEncoding.EncodeToString
					auth = strings.Replace(auth, name([]byte(other)), name([]byte(key.User)), 1)
				}
				url := serviceURL + "/collections/" + key.User + "/" + key.Collection
				var a answer
				a, err = x.wire.send(ctx, "POST", url, http.Header{"Authorization": {auth}}, []byte("["+doc(0)+"]"))
				if err == nil && a.status != http.StatusUnauthorized {
					err = fmt.Errorf("%w: with a session of %s: %d %s", errAnswer, other, a.status, a.body)
				}
			}
		}
		if final(err) || ctx.Err() != nil {
			return err
		}
		if err != nil {
			x.h.failed()
		}
		if err := pause(ctx, time.Duration(x.rng.IntN(10))*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}
