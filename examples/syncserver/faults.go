package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/goccy/go-yaml"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
	"github.com/brownout-go/brownout/faultconn/framing"
)

// The places where a plan can strike.
const (
	pointMemcached = "memcached" // connections dialled to memcached
	pointClients   = "clients"   // accepted connections
)

// readPlan reads a plan of faults, JSON if the file's name ends so and YAML
// otherwise, and checks that each rule can strike here.
func readPlan(file string) (faultconn.Plan, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return faultconn.Plan{}, err
	}
	if filepath.Ext(file) != ".json" {
		if text, err = yaml.YAMLToJSON(text); err != nil {
			return faultconn.Plan{}, fmt.Errorf("%s: %w", file, err)
		}
	}
	plan, err := append(fault.Catalogue(), framing.Catalogue()...).Parse(text)
	if err != nil {
		return faultconn.Plan{}, fmt.Errorf("%s: %w", file, err)
	}
	for i, rule := range plan.Rules {
		if rule.Name == "" { // as the injector would call it; the page needs it
			plan.Rules[i].Name = fmt.Sprintf("rule %d", i+1)
		}
		switch rule.Select.Point {
		case "", pointMemcached, pointClients:
		default:
			return faultconn.Plan{}, fmt.Errorf("%s: rule %q selects the point %q, which this server doesn't have: want %q, %q or none for both",
				file, rule.Name, rule.Select.Point, pointMemcached, pointClients)
		}
	}
	return plan, nil
}

// plan is the plan in force, for the page.
type plan struct {
	current atomic.Pointer[faultconn.Plan]
}

func (p *plan) set(next faultconn.Plan) { p.current.Store(&next) }

func (p *plan) rules() []faultconn.Rule {
	if current := p.current.Load(); current != nil {
		return current.Rules
	}
	return nil
}
