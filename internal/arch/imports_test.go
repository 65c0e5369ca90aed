package arch

import (
	"path"
	"strings"
	"testing"
)

// roots are the four packages of the library. None imports another: a user of
// one reads, vets and links only that one.
var roots = []string{"faultconn", "timeout", "backoff", "syncproto"}

// thirdParty names the leaves that may import more than the standard library
// and their own root, and what they may import. Whoever wants the core without
// these dependencies gets it by not importing the leaf.
var thirdParty = map[string][]string{
	"timeout":                      {"golang.org/x/sync/"},
	"faultconn/observe":            {"github.com/cactus/go-statsd-client/v5/", "go.uber.org/zap"},
	"timeout/observe":              {"github.com/cactus/go-statsd-client/v5/", "go.uber.org/zap"},
	"backoff/observe":              {"github.com/cactus/go-statsd-client/v5/", "go.uber.org/zap"},
	"syncproto/observe":            {"github.com/cactus/go-statsd-client/v5/", "go.uber.org/zap"},
	"internal/observe":             {"github.com/cactus/go-statsd-client/v5/", "go.uber.org/zap"},
	"internal/observe/observetest": {"github.com/cactus/go-statsd-client/v5/"},
	"backoff/memcachestore":        {"github.com/bradfitz/gomemcache/"},
	"backoff/cmd":                  {"github.com/bradfitz/gomemcache/"},
	"syncproto/memcache":           {"github.com/bradfitz/gomemcache/"},
	"syncproto/sqlstore":           {"modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/go-sql-driver/mysql"},
	"backoff/cmd/appsync-backoff":  {"github.com/bradfitz/gomemcache/"},
}

func TestImports(t *testing.T) {
	pkgs, _ := packages(t)
	for dir, p := range pkgs {
		if strings.HasPrefix(dir, "examples") {
			continue // programs: they may import what they like
		}
		p.imports(func(file, imported string) {
			if why := forbidden(dir, imported); why != "" {
				t.Errorf("%s imports %s: %s", file, imported, why)
			}
		})
	}
}

// forbidden says why a package in dir must not import the path; "" when it may.
func forbidden(dir, imported string) string {
	own, _, _ := strings.Cut(dir, "/")
	inner, ours := strings.CutPrefix(imported, module+"/")
	switch {
	case imported == "testing":
		if path.Base(dir) == "storetest" {
			return ""
		}
		return "only storetest packages may pull the testing package into their users"
	case ours && strings.HasPrefix(inner, "internal/"):
		return ""
	case ours:
		if target, _, _ := strings.Cut(inner, "/"); target != own {
			return "the packages " + strings.Join(roots, ", ") + " do not know each other"
		}
		if dir == own {
			return "a root package does not import its children"
		}
		return ""
	case !strings.Contains(strings.SplitN(imported, "/", 2)[0], "."):
		return "" // standard library
	}
	for _, prefix := range thirdParty[dir] {
		if strings.HasPrefix(imported, prefix) {
			return ""
		}
	}
	return "not among the third parties allowed here"
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		dir, imported string
		allowed       bool
	}{
		{"faultconn", "net", true},
		{"faultconn", module + "/timeout", false},
		{"faultconn", module + "/faultconn/fault", false},
		{"faultconn/fault", module + "/faultconn", true},
		{"faultconn/fault", "go.uber.org/zap", false},
		{"timeout", "golang.org/x/sync/semaphore", true},
		{"backoff", "golang.org/x/sync/semaphore", false},
		{"backoff/observe", "go.uber.org/zap", true},
		{"backoff", "testing", false},
		{"backoff/storetest", "testing", true},
	} {
		if got := forbidden(c.dir, c.imported) == ""; got != c.allowed {
			t.Errorf("%s may import %s = %v, want %v", c.dir, c.imported, got, c.allowed)
		}
	}
}
