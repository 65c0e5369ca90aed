package oidclogin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// keySet is a set of the issuer's keys that does not get older than Config has
// it. go-oidc's own keeps a key until it meets one that it does not know, so a
// new one takes the place of one that is old.
type keySet struct {
	cfg   Config
	renew func() oidc.KeySet // one that has yet to ask for its keys
	turn  chan struct{}      // held by who asks anew

	mu    sync.Mutex
	set   oidc.KeySet
	asked time.Time // when set asked for its first keys, zero if it has none
	tried time.Time // when it was last tried in vain to ask anew, zero if it was not
}

type unansweredKey struct{}

// unanswered is where a keySet says why the issuer could not be asked, which
// go-oidc's verifier makes one text of with a signature that is not good.
type unanswered struct{ err error }

func (k *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.verify(ctx, jwt)
	if asked, ok := ctx.Value(unansweredKey{}).(*unanswered); ok && !answered(err) {
		asked.err = err
	}
	return payload, err
}

// answered says whether there were keys to tell by. A set of keys wraps what it
// met on its way to the issuer, and nothing else.
func answered(err error) bool { return errors.Unwrap(err) == nil }

var errOldKeys = errors.New("the issuer could not be asked for too long")

func (k *keySet) verify(ctx context.Context, jwt string) ([]byte, error) {
	for {
		now := time.Now()
		set, tried, due, good := k.look(now)
		switch {
		case !due && !good:
			return nil, fmt.Errorf("old keys: %w", errOldKeys)
		case !due:
			payload, err := set.VerifySignature(ctx, jwt)
			if answered(err) {
				k.has(set, now)
			}
			return payload, err
		}
		select {
		case k.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for new keys: %w", ctx.Err())
		}
		payload, done, err := k.ask(ctx, jwt, set, tried)
		<-k.turn
		if done {
			return payload, err
		}
	}
}

// look says whether the caller has to ask for the keys anew and, if not, whether
// those that are there are still good. Once that was in vain one caller has to
// at a time, and the others do not wait for an issuer that is in trouble.
func (k *keySet) look(now time.Time) (set oidc.KeySet, tried time.Time, due, good bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked.IsZero() || now.Sub(k.asked) < k.cfg.KeyAge {
		return k.set, k.tried, false, true
	}
	if due = k.tried.IsZero() || now.Sub(k.tried) >= k.cfg.Refresh; due && !k.tried.IsZero() {
		k.tried = now
	}
	return k.set, k.tried, due, now.Sub(k.asked) < k.cfg.KeyAge+k.cfg.KeyGrace
}

// has notes that a set has keys, which it asked for at that time or later.
func (k *keySet) has(set oidc.KeySet, asked time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked.IsZero() && set == k.set {
		k.asked = asked
	}
}

// ask verifies with new keys in the place of old ones. It is not done if there
// are none to be had, or somebody else has asked meanwhile.
func (k *keySet) ask(ctx context.Context, jwt string, old oidc.KeySet, tried time.Time) (payload []byte, done bool, err error) {
	k.mu.Lock()
	other := k.set != old || k.tried != tried
	k.mu.Unlock()
	if other {
		return nil, false, nil
	}
	now, set := time.Now(), k.renew()
	payload, err = set.VerifySignature(ctx, jwt)
	k.mu.Lock()
	defer k.mu.Unlock()
	if answered(err) {
		k.set, k.asked, k.tried = set, now, time.Time{}
		return payload, true, err
	}
	if ctx.Err() != nil { // which says nothing about the issuer
		return nil, true, err
	}
	k.tried = time.Now()
	return nil, false, nil
}
