module github.com/brownout-go/brownout/examples

go 1.25.0

require (
	github.com/brownout-go/brownout v0.0.0
	github.com/brownout-go/brownout/syncproto/sqlstore v0.0.0
	golang.org/x/net v0.42.0
)

replace (
	github.com/brownout-go/brownout => ../
	github.com/brownout-go/brownout/syncproto/sqlstore => ../syncproto/sqlstore
)
