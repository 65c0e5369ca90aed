// Package observe holds what the observe packages share: metric names that
// are safe to send and bounded in number, and a statsd sender that may be nil.
package observe

import (
	"strings"
	"time"

	"github.com/cactus/go-statsd-client/v5/statsd"
)

// maxSegment keeps a rule or backend name given by a user from making a
// metric name that graphing systems refuse (file names end at 255 bytes).
const maxSegment = 64

// Name joins segments with dots. In each segment every byte that a statsd or
// Graphite server could read as syntax (dot, colon, pipe, at, slash, white
// space, anything outside ASCII letters, digits, '_' and '-') becomes '_'; an
// empty segment becomes "unnamed". The number of different names a program
// sends is the number of different segments it passes: pass what comes from
// configuration (rules, backends, routes), never what comes from a peer.
func Name(segments ...string) string {
	var b strings.Builder
	for i, s := range segments {
		if i > 0 {
			b.WriteByte('.')
		}
		if s == "" {
			s = "unnamed"
		}
		for j := range min(len(s), maxSegment) {
			b.WriteByte(safe(s[j]))
		}
	}
	return b.String()
}

func safe(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		return c
	}
	return '_'
}

// Stats sends to a statsd client. The zero value sends nothing. Errors of the
// client are dropped: a metric must never fail the operation it describes.
type Stats struct {
	Sender statsd.StatSender
}

// Count adds n to the counter.
func (s Stats) Count(name string, n int64, tags ...statsd.Tag) {
	if s.Sender != nil {
		_ = s.Sender.Inc(name, n, 1, tags...)
	}
}

// Gauge sets the gauge.
func (s Stats) Gauge(name string, v int64, tags ...statsd.Tag) {
	if s.Sender != nil {
		_ = s.Sender.Gauge(name, v, 1, tags...)
	}
}

// Timing records d, in milliseconds as statsd has it.
func (s Stats) Timing(name string, d time.Duration, tags ...statsd.Tag) {
	if s.Sender != nil {
		_ = s.Sender.TimingDuration(name, d, 1, tags...)
	}
}
