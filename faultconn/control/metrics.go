package control

import (
	"fmt"
	"net/http"
	"strings"
)

// metrics writes Prometheus' text format, version 0.0.4: Toxiproxy's two
// counters, as of now rather than as of the end of connections, and the hits of
// rules.
func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	var received, sent, hits strings.Builder
	for _, e := range s.entries() {
		p, total := e.describe(), e.total()
		for _, d := range []struct {
			name string
			n    int64
		}{{"downstream", total.Down}, {"upstream", total.Up}} {
			labels := fmt.Sprintf("{direction=%s,listener=%s,proxy=%s,upstream=%s} %d\n",
				label(d.name), label(p.Listen), label(p.Name), label(p.Upstream), d.n)
			received.WriteString("toxiproxy_proxy_received_bytes_total" + labels)
			sent.WriteString("toxiproxy_proxy_sent_bytes_total" + labels)
		}
		for _, r := range e.hits() {
			fmt.Fprintf(&hits, "faultconn_rule_hits{proxy=%s,rule=%s} %d\n", label(p.Name), label(r.Name), r.Hits)
		}
	}
	for _, m := range []struct{ name, kind, help, text string }{
		{"toxiproxy_proxy_received_bytes_total", "counter", "Bytes that have come to the proxy.", received.String()},
		{"toxiproxy_proxy_sent_bytes_total", "counter", "Bytes that the proxy has passed on.", sent.String()},
		// A rule that has been changed counts anew, so this is no counter.
		{"faultconn_rule_hits", "gauge", "How often a rule of the plan in force has struck.", hits.String()},
	} {
		if m.text != "" {
			fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s", m.name, m.help, m.name, m.kind, m.text)
		}
	}
}

func label(v string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(v) + `"`
}
