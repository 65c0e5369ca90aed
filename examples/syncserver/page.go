package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/brownout-go/brownout/faultconn"
)

//go:embed page.html
var pageHTML string

var pageTemplate = template.Must(template.New("page").Parse(pageHTML))

// tryIt are the first requests to make. The README has the same, and a test
// runs those.
const tryIt = `auth=$(curl -s %[1]s/verify --data-urlencode 'assertion=ann@example.com?a=demo' --data-urlencode audience=demo | sed 's/.*"http_authorization": *"\([^"]*\)".*/\1/')
curl -s -H "Authorization: $auth" %[1]s/collections/ann@example.com/apps -d '[{"origin": "https://app.example", "last_modified": 1}]'
curl -s -H "Authorization: $auth" "%[1]s/collections/ann@example.com/apps?since=0"`

// A view is what the page shows.
type view struct {
	URL, Curl, Up            string
	DB, Verifier, Memcached  string
	StoreError               error
	Budget, RetryAfter, Poll time.Duration
	PollError                error
	Requests, InFlight       int64
	Errors, Unavailable      int64
	TimedOut                 uint64
	Dev, Operator            bool
	Cache                    time.Duration
	Database, Shared         bool
	States                   int64
	Rules                    []ruleView
}

// A ruleView is one rule of the plan in force.
type ruleView struct {
	Name, Point, What, Chance string
	Hits                      int
}

// page is for people: what runs, how it is doing, what to try.
func (s *server) page(w http.ResponseWriter, r *http.Request) {
	status := s.value.Status()
	v := view{
		URL: s.url, Curl: fmt.Sprintf(tryIt, s.url), Up: time.Since(s.start).Round(time.Second).String(),
		DB: s.cfg.database(), Verifier: s.cfg.verifier, Memcached: strings.Join(s.cfg.memcached, ","),
		StoreError: s.store.Ping(r.Context()),
		Budget:     s.cfg.budget, RetryAfter: s.cfg.retryAfter,
		Poll: status.Value.Interval, PollError: status.Err,
		Requests: s.counts.requests.Load(), InFlight: s.counts.inFlight.Load(),
		Errors: s.counts.errors.Load(), Unavailable: s.counts.unavailable.Load(),
		TimedOut: s.limit.Stats().Timeouts,
		Dev:      s.cfg.verifier == "dev", Operator: s.operated(),
		Database: s.database != nil, Cache: s.cfg.cache, Shared: s.cfg.shared(), States: s.counts.states.Load(),
	}
	for _, rule := range s.plan.rules() {
		v.Rules = append(v.Rules, ruleView{
			Name: rule.Name, Point: rule.Select.Point, What: what(rule), Chance: chance(rule), Hits: s.faults.Hits(rule.Name),
		})
	}
	// Rendered before it is sent, so that what goes wrong can still be a 500.
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, v); err != nil {
		s.log.Error("page", zap.Error(err))
		http.Error(w, "the page can't be shown; the log says why", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	_, _ = w.Write(b.Bytes())
}

// what names the faults of a rule, with their options.
func what(r faultconn.Rule) string {
	if r.Fault != nil {
		return describe(r.Fault)
	}
	var parts []string
	for _, share := range r.Mix {
		parts = append(parts, fmt.Sprintf("%v%% %s", share.Percent, describe(share.Fault)))
	}
	return strings.Join(parts, ", ")
}

// describe is the fault's kind with its options as plan files have them.
func describe(f faultconn.Fault) string {
	text, err := json.Marshal(faultconn.Plan{Rules: []faultconn.Rule{{Fault: f}}})
	var plan struct {
		Rules []struct{ Fault map[string]any }
	}
	if err != nil || json.Unmarshal(text, &plan) != nil {
		return f.Kind()
	}
	options := plan.Rules[0].Fault
	delete(options, "kind")
	words := []string{f.Kind()}
	for _, name := range slices.Sorted(maps.Keys(options)) {
		words = append(words, fmt.Sprintf("%s %v", name, options[name]))
	}
	return strings.Join(words, " ")
}

func chance(r faultconn.Rule) string {
	if r.Fault == nil || r.Chance == 0 {
		return ""
	}
	return fmt.Sprintf("%v%% of each %s", 100*r.Chance, scope(r))
}

func scope(r faultconn.Rule) faultconn.Scope {
	if r.Scope == "" {
		return faultconn.PerExchange
	}
	return r.Scope
}
