// Package observetest shows the tests of the observe packages what is sent to
// statsd.
package observetest

import (
	"github.com/cactus/go-statsd-client/v5/statsd"
	"github.com/cactus/go-statsd-client/v5/statsd/statsdtest"
)

// Statsd returns a client that sends to nobody, without a prefix, and a function
// that returns the packets it would have sent so far. It ends the test if it
// cannot.
func Statsd(tb interface {
	Helper()
	Fatal(args ...any)
}) (statsd.Statter, func() []string) {
	tb.Helper()
	sender := statsdtest.NewRecordingSender()
	client, err := statsd.NewClientWithSender(sender, "", 0)
	if err != nil {
		tb.Fatal(err)
	}
	return client, func() (packets []string) {
		for _, sent := range sender.GetSent() {
			packets = append(packets, string(sent.Raw))
		}
		return packets
	}
}
