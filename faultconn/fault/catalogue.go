package fault

import "github.com/brownout-go/brownout/faultconn"

// Catalogue returns one of each fault of this package, to read plan files with.
// Append your own to it, or leave out what a plan must not do.
func Catalogue() faultconn.Catalogue {
	return faultconn.Catalogue{
		Normal{}, Delay{}, Hang{}, Blackout{}, Abort{}, Garbage{}, Reset{}, Close{}, Refuse{}, Fail{},
		Bandwidth{}, Slice{}, Loss{}, BlackHole{}, Corrupt{}, Duplicate{}, ShortWrite{}, MTU{},
	}
}
