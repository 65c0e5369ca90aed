// Chaosproxy stands between an application and its backends and breaks things
// on purpose, by plan, while clients for Toxiproxy and vaurien go on working.
//
//	chaosproxy -listen :8000 -upstream db:5432 -fault '20:delay=2s,5:reset'
//	chaosproxy -config chaos.yaml
//	chaosproxy -toxiproxy toxiproxy.json
//	chaosproxy -vaurien vaurien.ini
//
// The percentages of -fault are of exchanges: a request and its reply. It knows
// the faults of package fault by their kinds; the value is their main option,
// and faults with several are for plan files:
//
//	20:delay=2s             a fifth of the replies comes two seconds late
//	5:reset                 one in twenty breaks the connection with an RST
//	100:bandwidth=65536     64 KiB a second
//
// -behavior has what goes wrong in vaurien's words instead, and -protocol the
// protocol in whose words its errors are:
//
//	chaosproxy -listen :8000 -upstream web:80 -protocol http -behavior 20:delay,5:error
//
// A config file has proxies with their plans, in YAML or JSON; ${NAME} is put
// in from the environment:
//
//	proxies:
//	  - name: db
//	    listen: localhost:5433
//	    upstream: ${DB_HOST}:5432
//	    plan:
//	      seed: 7
//	      rules:
//	        - {chance: 0.2, fault: {kind: delay, for: 2s}}
//
// Everything can be changed at the control address, localhost:8474 unless
// -control says otherwise: see package control for the API.
//
// A browser that opens the address gets a page to keep open during a load test:
// what passes each proxy and which faults strike, over the last five minutes;
// the rules with their hits, each with a switch; levels from normal to total
// blackout; a form for every fault there is; the connections, to hold, step and
// reset one; and scenarios. With -token it asks for the token.
//
// -statsd sends a counter for each fault that strikes, and -statsd-vaurien those
// of each connection that vaurien sent. -log writes a line of JSON for each
// fault, and for each client whose upstream cannot be dialled though no fault
// says so, which the page tells too. -transcript writes what both sides have
// said, with the faults in between.
//
// -record writes each fault to a new file, and -replay has a later run struck at
// the same places: the same bytes and exchanges of the same connections, counted
// as they are dialled, whatever the chances say. The proxies, their faults and
// -seed must be those of the run that was recorded; lines can be taken out, to
// find the faults that matter. Changing a proxy's faults ends its replay.
//
//	chaosproxy -config chaos.yaml -record friday.log
//	chaosproxy -config chaos.yaml -replay friday.log
//
// SIGTERM and Ctrl-C stop listening and wait until the connections have ended,
// -drain at the most. A second one ends the program at once.
package main
