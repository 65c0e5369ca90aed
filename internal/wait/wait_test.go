package wait

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if !Until(time.Minute, func() bool { return time.Since(start) >= time.Second }) {
			t.Error("has not seen what happened after a second")
		}
		if late := time.Since(start) - time.Second; late > 20*time.Millisecond {
			t.Errorf("has seen it %v late", late)
		}
		start = time.Now()
		if Until(time.Minute, func() bool { return false }) {
			t.Error("has seen what never happened")
		}
		if took := time.Since(start); took < time.Minute || took > 61*time.Second {
			t.Errorf("gave up after %v", took)
		}
		if !Until(0, func() bool { return true }) {
			t.Error("has not asked at all")
		}
	})
}
