package framing

import "github.com/brownout-go/brownout/faultconn"

// Catalogue returns the faults of this package, to read plan files with:
//
//	append(fault.Catalogue(), framing.Catalogue()...)
func Catalogue() faultconn.Catalogue { return faultconn.Catalogue{&On{}, &Reply{}} }
