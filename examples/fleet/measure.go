package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
	"time"
)

// result is what a policy led to.
type result struct {
	policy  string
	counts  []int // requests by second
	figures []figures
}

// figures are those of one phase.
type figures struct {
	// settled is how many intervals after the change the rate has come within
	// 5 % of the capacity and stays there, as the mean of each interval's
	// tenth; infinite if it never does.
	settled float64

	// overshoot is the highest mean of a minute over the capacity, from one
	// interval after the change on: what clients were told before it they do.
	overshoot float64

	// mean and peak are of the end of the phase, after three intervals: the
	// mean rate over the capacity, and the busiest second over the mean.
	mean, peak float64

	// excess is the share of the phase's requests that were more than the
	// service could bear.
	excess float64
}

func measure(counts []int, phases []phase) []figures {
	var all []figures
	for i, p := range phases {
		n := int(p.length.Seconds())
		all = append(all, measurePhase(counts[:n], phases, i))
		counts = counts[n:]
	}
	return all
}

func measurePhase(counts []int, phases []phase, i int) figures {
	p := phases[i]
	three := int(settling(phases, i).Seconds())
	f := figures{settled: math.Inf(1)}

	step := int(p.interval().Seconds()) / 10
	for from := len(counts) - step; from >= 0; from -= step {
		if math.Abs(mean(counts[from:from+step])/p.capacity-1) > 0.05 {
			break
		}
		f.settled = float64(from) / float64(three/3)
	}
	for from := three / 3; from+60 <= len(counts); from += 10 {
		f.overshoot = max(f.overshoot, mean(counts[from:from+60])/p.capacity-1)
	}
	end := mean(counts[three:])
	f.mean = end / p.capacity
	total, excess := 0.0, 0.0
	for second, n := range counts {
		if second >= three {
			f.peak = max(f.peak, float64(n)/end)
		}
		total += float64(n)
		excess += max(float64(n)-p.capacity, 0)
	}
	f.excess = excess / max(total, 1)
	return f
}

func mean(counts []int) float64 {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return float64(sum) / float64(len(counts))
}

func (r result) print(out io.Writer, phases []phase, took time.Duration) {
	requests := 0
	for _, n := range r.counts {
		requests += n
	}
	fmt.Fprintf(out, "%s: %.1f million requests in %v of virtual time, simulated in %v\n",
		r.policy, float64(requests)/1e6, time.Duration(len(r.counts))*time.Second, took.Round(100*time.Millisecond))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  phase\tinterval\twithin 5 % after\tovershoot\tmean/capacity\tpeak second/mean\tmore than bearable")
	for i, f := range r.figures {
		settled := "never"
		if !math.IsInf(f.settled, 1) {
			settled = fmt.Sprintf("%.1f intervals", f.settled)
		}
		fmt.Fprintf(w, "  %s\t%v\t%s\t%.0f %%\t%.3f\t%.2f\t%.1f %%\n", phases[i].name, phases[i].interval(), settled, 100*f.overshoot, f.mean, f.peak, 100*f.excess)
	}
	w.Flush()
	fmt.Fprintln(out)
}
