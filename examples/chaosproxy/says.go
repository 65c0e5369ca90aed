package main

// says is what faults and their options do, in the few words that a form has
// room for. The packages' documentation has the rest.
var says = map[string]string{
	"abort":       "lets the request through and resets the connection where the reply would be",
	"bandwidth":   "lets bytes pass at a rate",
	"black-hole":  "loses everything, and nobody is told",
	"blackout":    "the service is gone: dials are refused, connections closed",
	"close":       "ends the connection in good order, at the next read or write",
	"corrupt":     "flips bits of a byte",
	"delay":       "makes replies late",
	"duplicate":   "repeats data",
	"fail":        "fails one operation with an error of the system",
	"garbage":     "puts random bytes in the place of a reply",
	"hang":        "holds what comes back until the plan changes",
	"loss":        "a lost packet as TCP shows it: a pause",
	"mtu":         "loses packets that are longer; strikes no stream",
	"normal":      "lets everything pass",
	"on":          "narrows a fault down to chosen messages of a protocol",
	"refuse":      "dials are refused",
	"reply":       "refuses requests in the server's own words",
	"reset":       "breaks the connection with an RST",
	"short-write": "a write stops part of the way, with an error",
	"slice":       "cuts the stream into small pieces",

	"rule.name":   "what events and hits are counted under",
	"rule.off":    "keeps the rule without asking it",
	"rule.scope":  "what is drawn once each",
	"rule.chance": "from 0 to 1",
	"rule.select": "on which connections and operations",
	"rule.when":   "at which moments",
	"rule.limits": "how often at most",

	"select.point": "name of the proxy",
	"select.ops":   "write is requests, read is replies",
	"select.conns": "numbers of connections, from 1",
	"select.peer":  "address of the client or the upstream, or a prefix",

	"when.skip":    "so many pass first",
	"when.first":   "then only so many are struck",
	"when.every":   "only each so-manieth",
	"when.cycle":   "count anew after so many",
	"when.perConn": "count each connection by itself",
	"when.from":    "from this byte of a direction",
	"when.until":   "up to this byte",
	"when.pattern": "once this text has passed in the exchange",
	"when.after":   "so long after the rule came in force",
	"when.before":  "and not longer than so long after",
	"when.period":  "again in each period: flapping",
	"when.age":     "on connections open for so long",

	"limits.hits":  "all in all",
	"limits.conns": "connections at the same time",

	"delay.for":    "how long",
	"delay.jitter": "more or less by so much",
	"delay.shape":  "how jitter spreads; empty: evenly",
	"delay.table":  "delays to draw from instead",
	"delay.step":   "more at each hit, up to max",
	"delay.max":    "never longer",
	"delay.fall":   "shrink again after max",

	"garbage.bytes":  "how many; empty: 1000, inside 100",
	"garbage.inside": "among the reply's bytes, not in their place",
	"garbage.text":   "this instead of random bytes",

	"fail.with": "the error",

	"bandwidth.rate":   "bytes a second",
	"bandwidth.shared": "by all connections together",

	"slice.size": "bytes of a piece; empty: 1",
	"slice.vary": "more or less by so many",
	"slice.gap":  "pause before each",

	"loss.timeout": "pause for the first one; empty: 200ms",
	"loss.again":   "chance that the next is lost too, from 0 to 1",

	"corrupt.bits":      "how many; empty: 1",
	"duplicate.bytes":   "how many; empty: all there are",
	"short-write.bytes": "how many go out; empty: half",
	"mtu.bytes":         "longest packet",

	"on.protocol": "of the conversation",
	"on.messages": "which",
	"on.at":       "the part it begins in",
	"on.byte":     "so many of that part pass first",
	"on.fault":    "what strikes there",

	"reply.protocol":   "of the conversation",
	"reply.messages":   "which requests",
	"reply.error":      "what the server says, such as 503 or deadlock",
	"reply.retryAfter": "for HTTP",

	"messages.requests": "requests rather than replies",
	"messages.commands": "such as GET or COM_QUERY; of replies 200, ERR",
	"messages.number":   "of the message on its connection, from 1",
	"messages.skip":     "so many that fit pass first",
	"messages.first":    "then only so many are struck",
	"messages.every":    "only each so-manieth",
	"messages.chance":   "that one is struck, from 0 to 1",
}
