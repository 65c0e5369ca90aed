// Package leak fails a test run that leaves goroutines behind.
//
// A package whose types own goroutines calls it from TestMain:
//
//	func TestMain(m *testing.M) { leak.Main(m) }
package leak

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/brownout-go/brownout/internal/wait"
)

// grace is how long a goroutine that is already on its way out may take. It
// bounds the failure only: a clean run returns at the first look.
const grace = 5 * time.Second

// Main runs the tests and exits with their code, or with 1 and the stacks of
// the goroutines that were still running after the last of them.
func Main(m interface{ Run() int }) {
	code := m.Run()
	if code == 0 {
		if left := Wait(); left != "" {
			fmt.Fprintf(os.Stderr, "leak: goroutines still running after the tests:\n\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// Wait returns the stacks of the goroutines that are not the runtime's, the
// testing package's or the caller's, once they have had time to end; "" when
// there are none.
func Wait() string {
	var left string
	wait.Until(grace, func() bool { left = running(); return left == "" })
	return left
}

// harmless are the goroutines that the standard library keeps for the life of
// the process once they have been started.
var harmless = []string{
	"testing.Main(",
	"testing.(*M).",
	"testing.(*T).Run(",
	"testing.runTests(",
	"testing.runFuzzing(",
	"testing.runFuzzTests(",
	"os/signal.signal_recv",
	"os/signal.loop",
	"runtime.ensureSigM",
	"internal/synctest.Run",
}

func running() string {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	var left []string
	for i, stack := range strings.Split(string(buf), "\n\n") {
		if i == 0 { // the caller's own
			continue
		}
		if !matches(stack) {
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}

func matches(stack string) bool {
	for _, h := range harmless {
		if strings.Contains(stack, h) {
			return true
		}
	}
	return false
}
