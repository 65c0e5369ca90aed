package leak

import (
	"strings"
	"testing"
)

func TestRunningNamesTheGoroutine(t *testing.T) {
	if left := Wait(); left != "" {
		t.Fatalf("before the test started one:\n%s", left)
	}
	stop := make(chan struct{})
	started := make(chan struct{})
	go stray(started, stop)
	<-started
	if left := running(); !strings.Contains(left, "leak.stray(") {
		t.Errorf("a goroutine is running, found:\n%q", left)
	}
	close(stop)
	if left := Wait(); left != "" {
		t.Errorf("after it ended:\n%s", left)
	}
}

func stray(started chan<- struct{}, stop <-chan struct{}) {
	close(started)
	<-stop
}
