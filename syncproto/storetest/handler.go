package storetest

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/brownout-go/brownout/syncproto"
)

const (
	resultHeader = "Storetest-Result" // of an answer: what the store said, in JSON
	quotaHeader  = "Storetest-Quota"  // of a request: how many apps a collection may have
)

// Handler makes what a server of a [Service] serves: the handler that
// [syncproto.New] makes of c, for anybody to log in as anybody, with small
// limits where c has none, with a quota that each request chooses, and with a
// header in which it tells what the store has said to a write.
func Handler(c syncproto.Config) (http.Handler, error) {
	c.Verifier, c.Development = anybody{}, true
	if c.Limits == (syncproto.Limits{}) {
		c.Limits = syncproto.Limits{Apps: 3, Page: 3}
	}
	if c.Watch == (syncproto.Watch{}) {
		c.Watch = syncproto.Watch{Max: time.Second, Recheck: 20 * time.Millisecond}
	}
	if c.Store != nil {
		c.Store = telling{c.Store}
	}
	h, err := syncproto.New(c)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		quota, _ := strconv.Atoi(r.Header.Get(quotaHeader))
		ctx := context.WithValue(r.Context(), askedKey{}, &asked{w.Header(), quota})
		h.ServeHTTP(w, r.WithContext(ctx))
	}), nil
}

// anybody takes an assertion for the e-mail itself.
type anybody struct{}

func (anybody) Verify(_ context.Context, assertion, _ string) (syncproto.Identity, error) {
	return syncproto.Identity{Email: assertion, Development: true}, nil
}

// asked is what a request has chosen, and the header of its answer.
type asked struct {
	header http.Header
	quota  int
}

type askedKey struct{}

// telling is a store that does what the request has chosen, and tells.
type telling struct{ syncproto.Store }

func (s telling) Write(ctx context.Context, key syncproto.Key, w syncproto.Write) (syncproto.Result, error) {
	by := ctx.Value(askedKey{}).(*asked)
	w.Quota.Apps = by.quota
	res, err := s.Store.Write(ctx, key, w)
	b, _ := json.Marshal(res) // of numbers and a string
	by.header.Set(resultHeader, string(b))
	return res, err
}
