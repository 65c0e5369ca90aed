// Package framing finds the messages in a stream of bytes: where each begins
// and ends, where its head stops and its body starts, and which command it
// carries. It is how a fault can mean "the second SELECT", "in the middle of
// the header" or "as this server would say that it is overloaded" rather than
// a number of bytes.
//
// A [Conversation] is the two directions of one connection. Each is a [Stream]
// that is given the bytes as they come, in pieces of any size, and says of
// those at the front what they are:
//
//	for len(p) > 0 {
//		part := conv.Requests.Next(p)
//		... // p[:part.N] are of message part.Number
//		p = p[part.N:]
//	}
//
// A Stream holds nothing back and changes nothing: every byte is in exactly one
// part, in order, at the call that brought it. What a stream does not
// understand is not an error. From there on, and for what follows an upgrade to
// another protocol or to TLS, all bytes are of the section [Raw]. So is a line
// or a head of more than 64 KiB.
//
// # What a message is
//
//	HTTP       a request or response with its body; 1xx responses by themselves
//	Memcached  a command with its value; the reply to one command, all VALUEs and END
//	Redis      a value, of RESP 2 or 3, with all that is nested in it
//	MySQL      a packet, continued ones with what continues them
//	Postgres   a message of the frontend/backend protocol, version 3
//	SMTP       a command, the mail after DATA, a reply with all its lines
//	LDAP       an LDAPMessage
//	Lines      a line
//
// # Errors a server would send
//
// HTTPError, MySQLError and the like make the bytes with which a server of that
// protocol refuses: clients take them for what they are, so that what is tested
// is the application's way of dealing with an overloaded backend, and not its
// way of dealing with garbage.
//
// # In plans
//
// [On] narrows any fault down to chosen messages and to a place in them;
// [Reply] refuses chosen requests as the server would. Both are faults of a
// faultconn.Rule, and [Catalogue] brings them to plan files:
//
//	{"rules": [
//	  {"name": "cut", "fault": {"kind": "on", "protocol": "http", "at": "body",
//	    "messages": {"commands": ["200"], "every": 3}, "fault": {"kind": "reset"}}},
//	  {"name": "full", "fault": {"kind": "reply", "protocol": "mysql",
//	    "error": "too-many-connections", "messages": {"chance": 0.1}}}
//	]}
//
// Several of them may follow one connection, next to any other rules, and a log
// of their hits can be replayed. A Chance or a Mix of the rule itself is for [On];
// for [Reply], Messages has a chance of its own.
//
// [Custom] makes a conversation of a protocol of your own.
package framing
