package framing

import (
	"fmt"
	"strings"
	"time"
)

// refusal is one way in which a server of a protocol refuses.
type refusal struct {
	name  string
	text  string
	fatal bool // the server closes the connection after it
	// greets: it comes in the place of the greeting, before any request
	greets bool
	code   int // HTTP status, MySQL errno, LDAP result
	state  string
}

// refusals lists them, the usual one first. Texts and codes are those of the
// servers themselves.
func refusals(protocol string) []refusal {
	switch protocol {
	case "http":
		return []refusal{{name: "503", code: 503}, {name: "500", code: 500}, {name: "502", code: 502}, {name: "504", code: 504}, {name: "429", code: 429}}
	case "memcached":
		return []refusal{
			{name: "out-of-memory", text: "out of memory storing object"},
			{name: "too-large", text: "object too large for cache"},
			{name: "too-many-connections", text: "ERROR Too many open connections", fatal: true},
		}
	case "redis":
		return []refusal{
			{name: "loading", text: "LOADING Redis is loading the dataset in memory"},
			{name: "busy", text: "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."},
			{name: "out-of-memory", text: "OOM command not allowed when used memory > 'maxmemory'."},
			{name: "read-only", text: "READONLY You can't write against a read only replica."},
			{name: "master-down", text: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."},
			{name: "too-many-connections", text: "ERR max number of clients reached", fatal: true},
		}
	case "mysql":
		return []refusal{
			{name: "shutting-down", text: "Server shutdown in progress", code: 1053, state: "08S01", fatal: true},
			{name: "too-many-connections", text: "Too many connections", code: 1040, state: "08004", fatal: true, greets: true},
			{name: "deadlock", text: "Deadlock found when trying to get lock; try restarting transaction", code: 1213, state: "40001"},
			{name: "lock-timeout", text: "Lock wait timeout exceeded; try restarting transaction", code: 1205, state: "HY000"},
			{name: "read-only", text: "The MySQL server is running with the --read-only option so it cannot execute this statement", code: 1290, state: "HY000"},
		}
	case "postgres":
		return []refusal{
			{name: "shutting-down", text: "terminating connection due to administrator command", state: "57P01", fatal: true},
			{name: "too-many-connections", text: "sorry, too many clients already", state: "53300", fatal: true, greets: true},
			{name: "starting-up", text: "the database system is starting up", state: "57P03", fatal: true, greets: true},
			{name: "deadlock", text: "deadlock detected", state: "40P01"},
			{name: "serialization", text: "could not serialize access due to concurrent update", state: "40001"},
			{name: "canceled", text: "canceling statement due to statement timeout", state: "57014"},
			{name: "read-only", text: "cannot execute statement in a read-only transaction", state: "25006"},
		}
	case "smtp":
		return []refusal{
			{name: "421", text: "4.3.2 Service shutting down and closing transmission channel", code: 421, fatal: true},
			{name: "421-greeting", text: "4.3.2 Too many connections, try again later", code: 421, fatal: true, greets: true},
			{name: "450", text: "4.2.1 Mailbox busy, try again later", code: 450},
			{name: "451", text: "4.3.0 Local error in processing", code: 451},
			{name: "452", text: "4.3.1 Insufficient system storage", code: 452},
			{name: "554", text: "5.7.1 Transaction failed", code: 554},
		}
	case "ldap":
		return []refusal{
			{name: "busy", text: "busy", code: 51},
			{name: "unavailable", text: "unavailable", code: 52},
			{name: "unwilling", text: "unwilling to perform", code: 53},
			{name: "time-limit", text: "time limit exceeded", code: 3},
		}
	}
	return nil
}

func findRefusal(protocol, name string) (refusal, error) {
	all := refusals(protocol)
	var names []string
	for i, r := range all {
		if r.name == name || name == "" && i == 0 {
			return r, nil
		}
		names = append(names, r.name)
	}
	if len(all) == 0 {
		return refusal{}, fmt.Errorf("protocol %q: has no errors of its own: must be one of http, memcached, redis, mysql, postgres, smtp, ldap", protocol)
	}
	return refusal{}, fmt.Errorf("error %q: must be one of %s", name, strings.Join(names, ", "))
}

// answer is the refusal of the request that begins with head.
func (r refusal) answer(protocol string, head []byte, retryAfter time.Duration) string {
	switch protocol {
	case "http":
		return string(HTTPError(r.code, retryAfter))
	case "memcached":
		if r.fatal { // which is no SERVER_ERROR
			return r.text + "\r\n"
		}
		return string(MemcachedError(r.text))
	case "redis":
		return string(RedisError(r.text))
	case "mysql":
		if r.greets {
			return string(MySQLError(0, uint16(r.code), r.state, r.text))
		}
		return string(MySQLError(1, uint16(r.code), r.state, r.text))
	case "postgres":
		if r.fatal {
			return string(PostgresError("FATAL", r.state, r.text))
		}
		return string(PostgresError("ERROR", r.state, r.text)) + "Z\x00\x00\x00\x05I"
	case "smtp":
		return string(SMTPError(r.code, r.text))
	case "ldap":
		id, tag := ldapHead(head)
		response := map[byte]string{0x60: "bindResponse", 0x63: "searchResDone", 0x66: "modifyResponse", 0x68: "addResponse",
			0x4a: "delResponse", 0x6c: "modDNResponse", 0x6e: "compareResponse", 0x77: "extendedResp"}[tag]
		b, err := LDAPError(id, response, byte(r.code), r.text)
		if err == nil {
			return string(b)
		}
	}
	return ""
}
