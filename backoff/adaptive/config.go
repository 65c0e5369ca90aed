package adaptive

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/brownout-go/brownout/backoff"
)

// Defaults of [Config].
const (
	DefaultMax       = time.Hour // the longest that the original client's own pauses grow
	DefaultShedFloor = 1         // requests a second
	DefaultShedRatio = 2
)

// Config configures a [Controller]. It needs a Rate or one of the signals
// Load, InFlight and Latency; they may be combined.
type Config struct {
	// Rate is how many requests a second this process can bear: all that pass
	// through the Policy, whether their clients obey or not. With signals, it
	// is the most that the rate becomes. 0 means that only the signals say; a
	// crowd that arrives before they have noticed it is told nothing then, so
	// give it if you know it.
	Rate float64

	// Load says how much of what the service can bear it has to bear now: 1 is
	// all, 2 twice as much. It should be proportional to the requests a second,
	// as the use of a processor or of a limiter's slots is. It is called about
	// ten times a second while requests come, and must not block. nil means no
	// such signal.
	Load func() float64

	// InFlight is how many requests the handler should have at a time. 0 means
	// any number.
	InFlight int

	// Latency is how long the handler should take for a request, on average
	// over some seconds. 0 means any time.
	Latency time.Duration

	// Min is the interval at which clients poll by themselves. They are told
	// nothing while that would do, and nothing shorter. It must not be longer
	// than it is in truth.
	Min time.Duration

	// Max is the longest that clients are told. 0 means [DefaultMax]. A fleet
	// that is too large for the rate even so is spread over the second half
	// of Max.
	Max time.Duration

	// Jitter is by what share clients lengthen what they are told, at most: 0.25
	// for backoff.Transport and for Firefox, to which a Policy's own Jitter
	// adds. Appointments are then made for when clients come on average. If it
	// is wrong, the rate arrives all the same, with more ups and downs before.
	Jitter float64

	// Seed makes what is drawn repeatable, for tests. 0 means a random seed.
	Seed uint64

	// Start is the interval to begin with: what Status said last in an earlier
	// process. It saves a service that is started again from learning the size
	// of its fleet anew, by being overrun. 0 means Min.
	Start time.Duration

	// MaxShed is the largest share of requests that is refused, 0 to 1. 0 means
	// that none are; 0.9 is what to begin with.
	MaxShed float64

	// ShedFloor is how many requests a second there must be for any to be
	// refused. 0 means [DefaultShedFloor].
	ShedFloor float64

	// ShedRatio is how many requests there may be for each that is accepted
	// before any are refused: at 2, half of them may fail. 0 means
	// [DefaultShedRatio].
	ShedRatio float64
}

// prepare checks c and fills in defaults.
func (c *Config) prepare() error {
	switch {
	case !(c.Rate >= 0) || math.IsInf(c.Rate, 1):
		return fmt.Errorf("adaptive: Config.Rate is %v: want requests a second", c.Rate)
	case c.Rate == 0 && c.Load == nil && c.InFlight == 0 && c.Latency == 0 && c.MaxShed == 0:
		return errors.New("adaptive: Config has no Rate, Load, InFlight, Latency or MaxShed: at least one must say what the service can bear")
	case !(c.Jitter >= 0 && c.Jitter <= 10):
		return fmt.Errorf("adaptive: Config.Jitter is %v: want a share, such as 0.25", c.Jitter)
	case c.InFlight < 0:
		return fmt.Errorf("adaptive: Config.InFlight is %d: it must not be negative", c.InFlight)
	case !(c.MaxShed >= 0 && c.MaxShed <= 1):
		return fmt.Errorf("adaptive: Config.MaxShed is %v: want a share, 0 to 1", c.MaxShed)
	case !(c.ShedFloor >= 0):
		return fmt.Errorf("adaptive: Config.ShedFloor is %v: want requests a second", c.ShedFloor)
	case c.ShedRatio != 0 && !(c.ShedRatio >= 1):
		return fmt.Errorf("adaptive: Config.ShedRatio is %v: want at least 1", c.ShedRatio)
	}
	for name, d := range map[string]time.Duration{"Latency": c.Latency, "Min": c.Min, "Max": c.Max, "Start": c.Start} {
		if d < 0 {
			return fmt.Errorf("adaptive: Config.%s is %v: it must not be negative", name, d)
		}
	}
	if c.Max == 0 {
		c.Max = max(DefaultMax, c.Min)
	}
	c.Max = min(c.Max, backoff.MaxInterval)
	if c.Max < c.Min {
		return fmt.Errorf("adaptive: Config.Max is %v: it must not be less than Min, %v", c.Max, c.Min)
	}
	if c.ShedFloor == 0 {
		c.ShedFloor = DefaultShedFloor
	}
	if c.ShedRatio == 0 {
		c.ShedRatio = DefaultShedRatio
	}
	return nil
}
