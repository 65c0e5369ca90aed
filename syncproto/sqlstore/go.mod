module github.com/brownout-go/brownout/syncproto/sqlstore

go 1.25.0

require (
	github.com/brownout-go/brownout v0.0.0
	modernc.org/sqlite v1.38.2
)

replace github.com/brownout-go/brownout => ../..
