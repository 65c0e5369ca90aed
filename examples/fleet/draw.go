package main

import (
	"bufio"
	"fmt"
	"io"
)

const (
	width, panel = 1000, 220 // pixels, of one policy's panel
	left, top    = 60, 30
	gap          = 50
)

// draw draws a panel for each policy: the rate of requests against what the
// service can bear.
func draw(out io.Writer, results []result, phases []phase) error {
	w := bufio.NewWriter(out)
	seconds, most := 0.0, 0.0
	for _, p := range phases {
		seconds += p.length.Seconds()
		most = max(most, 2.5*p.capacity)
	}
	x := func(second float64) float64 { return left + second/seconds*(width-left-20) }
	height := top + len(results)*(panel+gap) + 20
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", width, height)
	fmt.Fprintf(w, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)

	for i, r := range results {
		base := float64(top + i*(panel+gap) + panel)
		y := func(rate float64) float64 { return base - min(rate/most, 1)*panel }
		fmt.Fprintf(w, `<text x="%d" y="%.0f" font-weight="bold">%s</text>`+"\n", left, base-panel-10, r.policy)
		for _, rate := range []float64{0, most / 2.5, most / 1.25} {
			fmt.Fprintf(w, `<text x="%d" y="%.0f" text-anchor="end" fill="#555">%.0f/s</text>`+"\n", left-8, y(rate)+4, rate)
			fmt.Fprintf(w, `<line x1="%d" x2="%d" y1="%.1f" y2="%[3]f" stroke="#ddd"/>`+"\n", left, width-20, y(rate))
		}
		line(w, r.counts, "#1f77b4", x, y)

		from := 0.0
		for _, p := range phases {
			to := from + p.length.Seconds()
			fmt.Fprintf(w, `<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%[3]f" stroke="#d62728" stroke-width="1.5" stroke-dasharray="6 3"/>`+"\n", x(from), x(to), y(p.capacity))
			fmt.Fprintf(w, `<line x1="%.1f" x2="%[1]f" y1="%.1f" y2="%.1f" stroke="#999"/>`+"\n", x(from), base-panel, base)
			fmt.Fprintf(w, `<text x="%.0f" y="%.0f" fill="#555" font-size="11">%s</text>`+"\n", x(from)+4, base+16, p.name)
			from = to
		}
	}
	fmt.Fprintf(w, `<text x="%d" y="%d" text-anchor="end" fill="#555">blue: requests a second, means of half a minute; red: what the service can bear; %.0f hours</text>`+"\n", width-20, height-6, seconds/3600)
	fmt.Fprintln(w, "</svg>")
	return w.Flush()
}

// line draws means of half a minute.
func line(w io.Writer, counts []int, color string, x, y func(float64) float64) {
	fmt.Fprintf(w, `<polyline fill="none" stroke="%s" stroke-width="1" points="`, color)
	const over = 30
	for from := 0; from+over <= len(counts); from += over {
		fmt.Fprintf(w, "%.1f,%.1f ", x(float64(from)+over/2), y(mean(counts[from:from+over])))
	}
	fmt.Fprintln(w, `"/>`)
}
