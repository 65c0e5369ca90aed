package transcript

import (
	"testing"

	"github.com/brownout-go/brownout/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
