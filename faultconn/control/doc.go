// Package control runs proxies that break things on purpose and lets them be
// changed while they run: from Go, over HTTP, and by the clients that people
// have for Toxiproxy and vaurien.
//
//	s := &control.Server{}
//	defer s.Close()
//	err := s.Add(control.Proxy{Name: "db", Listen: "localhost:5433", Upstream: "db:5432"})
//	...
//	http.ListenAndServe("localhost:8474", s.Handler())
//
// # The API
//
// Handler serves three interfaces on one address. Native has everything, under
// /v1; Toxiproxy and Vaurien speak what the clients of those programs expect:
// see TOXIPROXY.md and VAURIEN.md.
//
//	GET    /v1/proxies                                    all proxies, their plans and toxics
//	POST   /v1/proxies                                    create one, with its plan, at once
//	GET    /v1/proxies/{proxy}
//	PATCH  /v1/proxies/{proxy}                            {"enabled": false}, {"upstream": "db2:5432"}, {"listen": ...}
//	DELETE /v1/proxies/{proxy}
//	GET    /v1/proxies/{proxy}/plan                       its revision is the ETag
//	PUT    /v1/proxies/{proxy}/plan                       a whole plan; If-Match makes it conditional
//	DELETE /v1/proxies/{proxy}/plan                       no faults
//	GET    /v1/proxies/{proxy}/rules                      the rules in force and their hits
//	GET    /v1/proxies/{proxy}/connections                who is connected, how far, how busy; ?limit=50&match=10.0.0.3
//	POST   /v1/proxies/{proxy}/connections/{id}/reset     an RST to both sides, now
//	POST   /v1/proxies/{proxy}/connections/{id}/hold      also release and step; ?direction=up or down
//	GET    /v1/events                                     server-sent events: fault, connection, plan
//	GET    /v1/scenario                                   the timeline that is running
//	PUT    /v1/scenario                                   start one
//	DELETE /v1/scenario                                   stop it
//
// A plan is written as faultconn.Catalogue.Parse describes. Its rules strike
// the connections that the proxy dials to its upstream; the point they know
// them by is the name of the proxy. Rules made of toxics and of a vaurien
// behavior come after those of the plan; replacing the plan leaves them.
//
// Rules that a new plan has in common with the one before go on, as
// faultconn.Injector.Update says: with their counts, their clocks and what they
// hold. So do those of toxics and behaviors, unless the new plan has another
// seed. Disabling a proxy, or moving it, does not make them begin anew either. To
// begin anew, delete the plan first. A rule without a name is known by its
// position in the plan.
//
// The data of the "fault" events are lines that faultconn.ReadLog reads: who
// keeps them can have a run struck again, by Proxy.Replay.
//
// # What to rely on
//
// No call waits for traffic: a new plan is in force when the reply is sent, on
// open connections too, whatever they are blocked in. Calls that change
// something take effect one after the other.
//
// A call that is refused has changed nothing, and its reply says why:
// {"error": "...", "status": 400}. That goes for paths under /v1 that there are
// not, too, and for methods that a path does not take, where Allow lists those it
// does. An address to listen on that is in use is 409, one that this machine
// cannot listen on 400; 500 and 503 are for what the call cannot help.
//
// # In a unit test
//
// Code in Go needs neither a proxy nor this package for its tests: wrap its
// dial function with a faultconn.Injector. Where the API itself is part of the
// test, a memnet.Network does away with ports, and under testing/synctest a
// fault of twenty seconds takes no time:
//
//	var network memnet.Network
//	s := &control.Server{
//		Listen: func(_ context.Context, n, addr string) (net.Listener, error) { return network.Listen(n, addr) },
//		Dial:   network.DialContext,
//	}
//	w := httptest.NewRecorder()
//	s.Handler().ServeHTTP(w, httptest.NewRequest("POST", "/reset", nil))
//
// # Scenarios
//
// A scenario is a timeline of plans, for one proxy or several at once. Starting
// one stops the one before; a plan that is put in force meanwhile stays until
// the scenario's next step for that proxy.
//
//	{"steps": [
//	  {"at": "0s",  "plans": {"db": {"rules": [{"fault": {"kind": "delay", "for": "2s"}}]}}},
//	  {"at": "30s", "plans": {"db": {}, "cache": {"rules": [{"fault": {"kind": "blackout"}}]}}},
//	  {"at": "60s", "plans": {"cache": {}}}
//	], "repeat": "90s"}
//
// # Who may call
//
// Everyone who reaches the address may, unless Server.Token is set: listen on
// loopback. A web page must not reach it through the browser of somebody who
// can: requests that change something are refused if another origin makes them,
// and on loopback addresses so are host names other than localhost and
// Server.Hosts, which is what DNS rebinding needs. Bodies are limited to 1 MiB.
package control
