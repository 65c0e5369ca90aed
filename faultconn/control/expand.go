package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Expand puts what env says in the place of each "${NAME}" of a text. A name
// that env does not know is an error; a "$" alone stays. nil knows none.
func Expand(text string, env func(name string) (value string, ok bool)) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "${")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return "", fmt.Errorf("%.50q: ${ without }", "${"+rest)
		}
		value, ok := "", false
		if env != nil {
			value, ok = env(name)
		}
		if !ok {
			return "", fmt.Errorf("${%.50s}: is not set", name)
		}
		out.WriteString(value)
		text = after
	}
}

// unknown is a warning for each member whose name is not known, in any case.
func unknown[V any](where string, members map[string]V, known []string) []string {
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, strings.ToLower(name)) {
			warnings = append(warnings, fmt.Sprintf("%s: %.50q: has no equal", where, name))
		}
	}
	return warnings
}
