package toxiproxyclient

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/brownout-go/brownout/faultconn/control"
	"github.com/brownout-go/brownout/internal/testserver"
)

// TestCLI makes every call of toxiproxy-cli.
func TestCLI(t *testing.T) {
	bin := t.TempDir()
	install := exec.Command("go", "install", "github.com/Shopify/toxiproxy/v2/cmd/cli@v2.12.0")
	install.Env = append(os.Environ(), "GOBIN="+bin, "GOWORK=off", "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		missing(t, "toxiproxy-cli could not be built, which needs a module proxy: "+err.Error()+"\n"+string(out))
	}
	url, upstream := serve(t), testserver.Echo(t)
	for _, c := range []struct {
		args string
		says string
	}{
		{"list", ""},
		{"create --listen 127.0.0.1:0 --upstream " + upstream + " db", "Created new proxy db"},
		{"list", "db"},
		{"toggle db", "Proxy db is now disabled"},
		{"toggle db", "Proxy db is now enabled"},
		{"toxic add --type latency --toxicName slow --toxicity 0.5 --attribute latency=100 --attribute jitter=5 db", "Added downstream latency toxic 'slow' on proxy 'db'"},
		{"toxic add --type bandwidth --upstream --attribute rate=1000 db", "Added upstream bandwidth toxic 'bandwidth_upstream' on proxy 'db'"},
		{"toxic update --toxicName slow --attribute jitter=25 db", "Updated toxic 'slow' on proxy 'db'"},
		{"inspect db", "slow\ttype=latency\tstream=downstream\ttoxicity=1.00\tattributes=[\tjitter=25\tlatency=100\t]"},
		{"toxic delete --toxicName slow db", "Removed toxic 'slow' on proxy 'db'"},
		{"inspect db", "bandwidth_upstream"},
		{"delete db", "Deleted proxy db"},
		{"inspect db", "Failed to retrieve proxy db: HTTP 404: proxy not found"},
	} {
		cmd := exec.Command(filepath.Join(bin, "cli"), append([]string{"--host", url}, strings.Fields(c.args)...)...)
		out, err := cmd.CombinedOutput()
		if failed := strings.HasPrefix(c.says, "Failed"); (err != nil) != failed || !strings.Contains(string(out), c.says) {
			t.Errorf("toxiproxy-cli %s: %v: %s\nwant %q", c.args, err, out, c.says)
		}
	}
}

// TestNodeClient makes every call of toxiproxy-node-client, at the version of
// node/package-lock.json.
func TestNodeClient(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, program+" is not installed: apt-get install nodejs npm")
		}
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("node")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	npm := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = dir
	if out, err := npm.CombinedOutput(); err != nil {
		missing(t, "toxiproxy-node-client could not be installed, which needs a registry: "+err.Error()+"\n"+string(out))
	}
	node := exec.CommandContext(ctx, "node", "session.js", serve(t), testserver.Echo(t))
	node.Dir = dir
	out, err := node.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("session complete")) {
		t.Errorf("%v: %s", err, out)
	}
}

// TestVaurienClient makes every call of vaurienclient, with Python's standard
// library.
func TestVaurienClient(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		missing(t, "python3 is not installed: apt-get install python3")
	}
	// Alone, as a vaurien was, and among the routes of everything else.
	for name, handler := range map[string]func(*control.Server) http.Handler{
		"Vaurien": func(s *control.Server) http.Handler { return s.Vaurien("db") },
		"Handler": (*control.Server).Handler,
	} {
		t.Run(name, func(t *testing.T) {
			s := &control.Server{}
			defer s.Close()
			if err := s.Add(control.Proxy{Name: "db", Upstream: testserver.Echo(t)}); err != nil {
				t.Fatal(err)
			}
			api := httptest.NewServer(handler(s))
			defer api.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, "python3", "python/session.py", api.URL, s.Proxies()[0].Listen).CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("session complete")) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
