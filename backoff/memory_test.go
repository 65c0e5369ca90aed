package backoff_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

func TestMemoryForgetsAtUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m backoff.Memory
		v := backoff.Value{Interval: time.Second, Until: time.Now().Add(time.Minute)}
		if err := m.Set(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute - time.Nanosecond)
		if got, err := m.Get(t.Context()); got != v || err != nil {
			t.Errorf("just before Until: %v, %v", got, err)
		}
		time.Sleep(time.Nanosecond)
		if got, err := m.Get(t.Context()); !errors.Is(err, backoff.ErrNotSet) {
			t.Errorf("at Until: %v, %v", got, err)
		}
	})
}
