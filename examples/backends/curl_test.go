package backends

import (
	"errors"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
	"github.com/brownout-go/brownout/faultconn/proxy"
)

// A client that is not Go, and knows nothing of any of this, tells the faults
// apart by its exit codes: they are those that its manual gives for a network
// that does the same.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		report := t.Skipf
		if os.Getenv("CI") == "true" {
			report = t.Fatalf
		}
		report("curl is not installed: apt-get install curl")
	}
	inj := &faultconn.Injector{}
	p := &proxy.Proxy{Upstream: startHTTP(t), Dial: inj.Dialer("web", nil)}
	l := listen(t)
	go p.Serve(l)
	defer p.Close()
	for _, c := range []struct {
		name  string
		fault faultconn.Fault
		exits []int
	}{
		{"nothing", fault.Normal{}, []int{0}},
		{"hung", fault.Hang{}, []int{28}},                        // operation timed out
		{"backend refuses", fault.Refuse{}, []int{56, 55, 7}},    // failure in receiving, in sending, or already in connecting
		{"aborted", fault.Abort{}, []int{56}},                    // failure in receiving
		{"closed", fault.Close{}, []int{52}},                     // nothing was returned
		{"refused", &framing.Reply{Protocol: "http"}, []int{22}}, // an HTTP status of 400 or more
		{"cut in the body", &framing.On{Protocol: "http", At: "body", Byte: 100, Fault: fault.Close{}}, []int{18}}, // partial file
	} {
		if err := inj.SetPlan(faultconn.Plan{Seed: 1, Rules: []faultconn.Rule{{Fault: c.fault}}}); err != nil {
			t.Fatal(err)
		}
		patience := "60"
		if c.exits[0] == 28 {
			patience = "1"
		}
		cmd := exec.Command(curl, "--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", patience, "--output", os.DevNull, "http://"+l.Addr().String()+"/")
		out, err := cmd.CombinedOutput()
		exit := 0
		if exitErr := new(exec.ExitError); errors.As(err, &exitErr) {
			exit = exitErr.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(c.exits, exit) {
			t.Errorf("%s: curl ends with %d, want %v: %s", c.name, exit, c.exits, out)
		}
	}
}
