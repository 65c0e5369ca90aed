package main

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The promises of package adaptive, on a smaller fleet than the program's: the
// rate is within 5 % of what can be borne in three intervals, it is never more
// than 10 % above it except for what clients were told before, and the fleet
// does not come in waves.
func TestAdaptiveKeepsItsPromises(t *testing.T) {
	phases := script(100_000)
	all := policies(1)
	counts, err := simulate(all[len(all)-1], phases)
	if err != nil {
		t.Fatal(err)
	}
	rest := counts
	for i, f := range measure(counts, phases) {
		if !(f.settled <= 3) {
			t.Errorf("%s: settled after %.1f intervals", phases[i].name, f.settled)
		}
		if f.overshoot > 0.1 {
			t.Errorf("%s: the rate was %.0f %% above what can be borne", phases[i].name, 100*f.overshoot)
		}
		if f.mean < 0.95 || f.mean > 1.05 {
			t.Errorf("%s: in the end the rate is %.2f of what can be borne", phases[i].name, f.mean)
		}
		n := int(phases[i].length.Seconds())
		end := rest[int(settling(phases, i).Seconds()):n]
		for from := 0; from+10 <= len(end); from += 10 {
			if wave := mean(end[from:from+10]) / mean(end); wave > 1.3 {
				t.Errorf("%s: ten seconds had %.2f of the mean rate", phases[i].name, wave)
			}
		}
		rest = rest[n:]
	}
}

// What adaptive is compared with is bad at it: else the comparison shows
// nothing.
func TestAFixedValueMakesWaves(t *testing.T) {
	phases := script(20_000)
	counts, err := simulate(policies(phases[1].interval())[0], phases)
	if err != nil {
		t.Fatal(err)
	}
	if f := measure(counts, phases)[0]; f.overshoot < 0.5 || f.peak < 2 {
		t.Errorf("after a thundering start: %+v", f)
	}
}

func TestRunPrintsFiguresAndDraws(t *testing.T) {
	svg := filepath.Join(t.TempDir(), "fleet.svg")
	var out bytes.Buffer
	if err := run(1000, svg, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"an operator's value", "adaptive", "thundering start", "recovery", svg} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not mention %s:\n%s", want, &out)
		}
	}
	file, err := os.Open(svg)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := 0
	for d := xml.NewDecoder(file); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 3 {
		t.Errorf("%d lines are drawn, want one for each policy", lines)
	}
}
