package fault

import "github.com/brownout-go/brownout/faultconn"

// Normal lets everything pass. In a mix it takes its percentage explicitly; it
// never counts as a hit.
type Normal struct{}

func (Normal) Kind() string                         { return "normal" }
func (Normal) Inject(faultconn.Op) faultconn.Effect { return faultconn.Effect{} }
