module github.com/brownout-go/brownout

go 1.25.0

require (
	github.com/bradfitz/gomemcache v0.0.0-20230905024940-24af94b03874
	github.com/cactus/go-statsd-client/v5 v5.0.0
	go.uber.org/zap v1.26.0
	golang.org/x/sync v0.1.0
)

require go.uber.org/multierr v1.10.0 // indirect
