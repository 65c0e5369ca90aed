package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/brownout-go/brownout/faultconn"
	"github.com/brownout-go/brownout/faultconn/fault"
)

// readPlan reads a plan file.
func readPlan(file string, env func(string) (string, bool)) (faultconn.Plan, error) {
	data, err := readFile(file, env)
	if err != nil {
		return faultconn.Plan{}, err
	}
	p, err := catalogue().Parse(data)
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

// mainOption is the one that the value of a fault in -fault sets, as JSON.
func mainOption(kind, value string) (option, text string, err error) {
	switch kind {
	case "delay":
		option = "for"
	case "bandwidth":
		return "rate", value, nil
	case "slice":
		return "size", value, nil
	case "fail":
		option = "with"
	case "garbage", "short-write", "duplicate":
		return "bytes", value, nil
	case "corrupt":
		return "bits", value, nil
	case "loss":
		option = "timeout"
	default:
		return "", "", fmt.Errorf("takes no value: give it in a plan file")
	}
	quoted, err := json.Marshal(value)
	return option, string(quoted), err
}

// parseFaults reads "20:delay=2s,5:reset" as one rule that mixes them. It makes
// a plan file of it, so that there is one reader of faults and one wording of
// what is wrong.
func parseFaults(text string, seed uint64) (faultconn.Plan, error) {
	if text == "" {
		return faultconn.Plan{}, nil
	}
	bad := func(part string, err error) (faultconn.Plan, error) {
		return faultconn.Plan{}, fmt.Errorf("-fault %q: %w", part, err)
	}
	var mix []string
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		percent, what, ok := strings.Cut(part, ":")
		var number json.Number
		if !ok || json.Unmarshal([]byte(percent), &number) != nil {
			return bad(part, fmt.Errorf("must be percent:fault or percent:fault=value, such as 20:delay=2s"))
		}
		kind, value, hasValue := strings.Cut(what, "=")
		name, err := json.Marshal(kind)
		if err != nil {
			return bad(part, err)
		}
		options := ""
		if hasValue {
			option, value, err := mainOption(kind, value)
			if err != nil {
				return bad(part, err)
			}
			if !json.Valid([]byte(value)) {
				return bad(part, fmt.Errorf("%s: must be a number", option))
			}
			options = fmt.Sprintf(",%q:%s", option, value)
		} else if kind == "delay" { // which without an option does nothing
			return bad(part, fmt.Errorf("says not for how long: %s=2s", part))
		}
		mix = append(mix, fmt.Sprintf(`{"percent":%s,"fault":{"kind":%s%s}}`, number, name, options))
	}
	p, err := fault.Catalogue().Parse([]byte(fmt.Sprintf(`{"seed":%d,"rules":[{"name":"-fault","mix":[%s]}]}`, seed, strings.Join(mix, ","))))
	if err != nil {
		return bad(text, err)
	}
	return p, nil
}
