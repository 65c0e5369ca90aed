module github.com/brownout-go/brownout/examples/bench

go 1.25.0

require (
	github.com/brownout-go/brownout v0.0.0
	github.com/brownout-go/brownout/syncproto/sqlstore v0.0.0
)

require (
	golang.org/x/net v0.35.0 // indirect
	golang.org/x/sys v0.30.0 // indirect
	golang.org/x/text v0.22.0 // indirect
	google.golang.org/genproto/googleapis/rpc v0.0.0-20250218202821-56aae31c358a // indirect
	google.golang.org/grpc v1.72.2
	google.golang.org/protobuf v1.36.5 // indirect
)

replace (
	github.com/brownout-go/brownout => ../../
	github.com/brownout-go/brownout/syncproto/sqlstore => ../../syncproto/sqlstore
)
