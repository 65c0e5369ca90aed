package main

const usage = `usage: appsync-backoff [-h] [-m HOST:PORT] {get,set N,del,watch}
`

const manual = usage + `
Ask the clients of a service to wait longer between polls. The number is kept
in memcached, where all servers of the service read it about once a second.

  get         print what is set
  set N       ask clients to wait N seconds between polls
  del         ask nothing any more
  watch       print every change, as the servers see it, until interrupted

options:
  -m, -memcached HOST:PORT
              the memcached; several, separated by commas, are all written to
              (127.0.0.1:11211)
  -timeout D  give up after this long (2s)
  -json       print JSON
  -h          print this

options of watch:
  -every D    look this often (1s, as servers do)

options of set:
  -ttl D      end by itself after this long: 30m, 2h (never)
  -note TEXT  say who set it and why; shown by get and in the servers' logs
  -probability P
              put it on this share of responses only, 0 to 1 (all)
  -unavailable P
              refuse this share of requests with 503, 0 to 1 (none)
  -force      allow N above two days

examples:
  The database is slow; halve the polls of clients that poll every 5 minutes
  and let it end by itself:
    appsync-backoff set 600 -ttl 2h -note "ana: db1 is slow"
  It gets worse; refuse a third of the requests as well:
    appsync-backoff set 1800 -unavailable 0.33 -ttl 2h -note "ana: db1 is down"
  It is over:
    appsync-backoff del

exit codes:
  0  done
  1  the command makes no sense; nothing was changed
  2  the options make no sense, or memcached could not be reached
`
