package sqlstore

import (
	"os"
	"testing"

	"github.com/brownout-go/brownout/internal/leak"
)

// TestMain runs the tests, or, in a process that a test started, the server
// that it is going to kill.
func TestMain(m *testing.M) {
	if dsn := os.Getenv(serveEnv); dsn != "" {
		serve(dsn)
		return
	}
	leak.Main(m)
}
