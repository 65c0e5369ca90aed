package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var requirement = regexp.MustCompile(`(?m)^(?:require)?\s+(\S+\.\S+/\S+) v\S+( // indirect)?$`)

// TestRootModule keeps what every importer of the library has to download to
// the four modules it is known for.
func TestRootModule(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if regexp.MustCompile(`(?m)^replace|^exclude`).Match(text) {
		t.Error("go.mod: replace and exclude have no effect for importers; remove them")
	}
	allowed := []string{
		"github.com/bradfitz/gomemcache",
		"github.com/cactus/go-statsd-client/v5",
		"go.uber.org/zap",
		"golang.org/x/sync",
	}
	found := 0
	for _, m := range requirement.FindAllStringSubmatch(string(text), -1) {
		if m[2] != "" {
			continue
		}
		found++
		if !slices.Contains(allowed, m[1]) {
			t.Errorf("go.mod requires %s, which every importer would have to take; a nested module can have it", m[1])
		}
	}
	if found == 0 {
		t.Error("go.mod: found no requirement: this test has stopped reading the file")
	}
}

// TestGoVersion keeps every module buildable with the oldest Go that is
// promised: one dependency that asks for more would take the workspace along.
func TestGoVersion(t *testing.T) {
	const oldest = "1.25.0"
	directive := regexp.MustCompile(`(?m)^go (\S+)$`)
	found := 0
	walk(t, func(name string) {
		if filepath.Base(name) != "go.mod" && name != "go.work" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		found++
		if m := directive.FindSubmatch(text); m == nil || string(m[1]) != oldest {
			t.Errorf("%s does not say go %s", name, oldest)
		}
	})
	if found < 5 {
		t.Errorf("found %d go.mod and go.work files, want all five", found)
	}
}
