// Package adaptive finds out by itself how long clients should wait.
//
// A service that clients poll can bear so many requests a second. How many
// clients there are it does not know, and every interval it might tell them
// alike is wrong as soon as their number changes; worse, telling a crowd that
// arrived together "in ten minutes" makes it arrive together again. So a
// [Controller] does not tell all clients the same. It keeps one number, the end
// of a queue of appointments that are 1/rate apart, and gives each client that
// comes by the next one:
//
//	appointment = max(last + 1/rate, now + Min)
//	interval    = appointment - now
//
// (Left out here: an allowance for the jitter that clients are known to add, and
// a little of the controller's own.)
// The interval that clients are told is then the length of the queue, which is
// what the fleet's size divided by the rate comes to, and a crowd is spread out
// the first time it is answered. The queue corrects itself: its length changes
// by (measured rate - rate)/rate seconds a second, so that it settles where the
// measured rate is the wanted one, however many clients add jitter of their own,
// come late, never come back, or ignore what they are told.
//
//	control, err := adaptive.New(adaptive.Config{Rate: 500, Min: 5 * time.Minute})
//	...
//	ease, err := backoff.Policy{
//		Current: backoff.Max(source.Current, control.Current), // the operator has the last word
//	}.Middleware()
//	...
//	http.ListenAndServe(addr, ease(control.Handler(handler)))
//
// # Where the rate comes from
//
// [Config].Rate, if the service's capacity is known. If it varies, or is not
// known, signals of load correct it: a function of the user's own, the number
// of requests in flight, their latency. While a signal is above 1, the rate is
// at once what is measured divided by the signal, but at least half of it; while
// all are below, it rises again slowly, compared with the time that clients
// take to notice. What clients were told cannot be taken back: a change of the
// rate shows in full after one interval.
//
// # Shedding
//
// What is told to a client helps after its interval; until then, a service that
// fails under load can refuse a share of the requests. With [Config].MaxShed
// the share is that of client-side throttling (Site Reliability Engineering,
// Beyer and others 2016, chapter 21):
//
//	(requests - ShedRatio * accepted) / (requests + 1)
//
// over the last half minute, where accepted are those that the handler answered
// with a status below 500, and no more than MaxShed, so that there are always
// requests that find out whether the service has recovered.
package adaptive
