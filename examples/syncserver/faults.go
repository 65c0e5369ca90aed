package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/goccy/go-yaml"
	"go.uber.org/zap"

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

// loadPlan puts the plan of the file in force.
func (s *server) loadPlan() error {
	p, err := readPlan(s.cfg.faults)
	if err != nil {
		return fmt.Errorf("-faults: %w", err)
	}
	if err := s.faults.SetPlan(p); err != nil {
		return fmt.Errorf("-faults: %s: %w", s.cfg.faults, err)
	}
	s.plan.set(p)
	s.log.Warn("faults in force", zap.String("file", s.cfg.faults), zap.Int("rules", len(p.Rules)), zap.Uint64("seed", p.Seed))
	return nil
}

// reloadOnHangup reads the plan again at each SIGHUP, so that faults can be
// switched while the server runs. A file that is wrong changes nothing.
func (s *server) reloadOnHangup(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			if s.cfg.faults == "" {
				s.log.Warn("SIGHUP without -faults: nothing to read again")
			} else if err := s.loadPlan(); err != nil {
				s.log.Error("the faults stay as they were", zap.Error(err))
			}
		}
	}
}
