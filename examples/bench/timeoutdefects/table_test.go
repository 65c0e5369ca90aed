package timeoutdefects

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write the page instead of comparing it")

const page = "../../../timeout/DEFECTS.md"

// TestDefects tries every subject for every defect over both protocols. Package timeout
// must have none; of the others the page says what they do.
func TestDefects(t *testing.T) {
	var b bytes.Buffer
	b.WriteString(`# What timeout middleware gets wrong

Eighteen defects, each a test that is run against four middlewares over HTTP/1.1 and HTTP/2, with 100 ms for a
request. Written by ` + "`go test ./timeoutdefects -update`" + ` in ` + "`examples/bench`" + `; the test fails when this page is out of date. A cell
has the verdict for HTTP/1.1, then for HTTP/2.

`)
	b.WriteString("| # | defect |")
	for _, s := range subjects {
		fmt.Fprintf(&b, " %s |", s.name)
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(subjects)) + "\n")
	found := tryAll(t)
	var notes bytes.Buffer
	passed := make([]int, len(subjects))
	for i, d := range defects {
		fmt.Fprintf(&b, "| %d | %s |", i+1, d.name)
		for j, s := range subjects {
			var verdicts, seen []string
			for proto := 1; proto <= 2; proto++ {
				found := found[trial{i, j, proto}]
				if found == nil {
					passed[j]++
					verdicts = append(verdicts, "ok")
					continue
				}
				verdicts = append(verdicts, "**no**")
				if text := found.Error(); len(seen) == 0 || seen[0] != text {
					seen = append(seen, text)
				}
			}
			fmt.Fprintf(&b, " %s |", strings.Join(verdicts, " / "))
			if len(seen) > 0 {
				fmt.Fprintf(&notes, "- %d, %s: %s\n", i+1, s.name, strings.Join(seen, "; on HTTP/2: "))
			}
		}
		b.WriteString("\n")
	}
	b.WriteString("| | **passed** |")
	for _, n := range passed {
		fmt.Fprintf(&b, " %d of %d |", n, 2*len(defects))
	}
	fmt.Fprintf(&b, "\n\n## What was seen\n\n%s", notes.String())

	if *update {
		if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, b.Bytes()) {
		t.Errorf("%s is out of date; run this test with -update. It should be:\n%s", page, b.String())
	}
}

// A trial is that of one subject for one defect, by their indexes, over one protocol.
type trial struct{ defect, subject, proto int }

// tryAll returns what was found wrong in all trials. Those in real time, which do little
// but wait, wait together.
func tryAll(t *testing.T) map[trial]error {
	var mu sync.Mutex
	all := map[trial]error{}
	var waiting sync.WaitGroup
	defer waiting.Wait()
	for i, d := range defects {
		for j, s := range subjects {
			for proto := 1; proto <= 2; proto++ {
				run := func(t *testing.T) {
					found := try(t, s, proto, d)
					if found != nil && s.name == "timeout" {
						t.Errorf("%s: HTTP/%d: %v", d.name, proto, found)
					}
					mu.Lock()
					defer mu.Unlock()
					all[trial{i, j, proto}] = found
				}
				if d.real {
					waiting.Go(func() { run(t) })
				} else {
					t.Run(fmt.Sprintf("%d/%s/http%d", i+1, s.name, proto), run)
				}
			}
		}
	}
	return all
}
