package transcript

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// secret is one expression of Log.Mask.
type secret struct {
	expr  *regexp.Regexp
	prog  *syntax.Prog
	first [utf8.RuneSelf]bool // with which characters a match may begin
	wide  bool                // and with one of several bytes
}

func newSecret(expr *regexp.Regexp) *secret {
	text := expr.String()
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil { // then it is by CompilePOSIX
		parsed, _ = syntax.Parse(text, syntax.POSIX)
		text = parsed.String()
	}
	prog, _ := syntax.Compile(parsed.Simplify()) // which gives no error
	s := &secret{expr: regexp.MustCompile(text), prog: prog}
	s.begin(uint32(prog.Start), make([]bool, len(prog.Inst)))
	return s
}

// begin notes what a match can begin with from pc on, whatever assertions say.
func (s *secret) begin(pc uint32, seen []bool) {
	if seen[pc] {
		return
	}
	seen[pc] = true
	switch i := &s.prog.Inst[pc]; i.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		s.begin(i.Out, seen)
		s.begin(i.Arg, seen)
	case syntax.InstCapture, syntax.InstNop, syntax.InstEmptyWidth:
		s.begin(i.Out, seen)
	case syntax.InstMatch, syntax.InstFail:
	default:
		s.wide = s.wide || wide(i)
		for c := range s.first {
			s.first[c] = s.first[c] || i.MatchRune(rune(c))
		}
	}
}

// wide reports whether the instruction takes characters of several bytes.
func wide(i *syntax.Inst) bool {
	if len(i.Rune) == 0 {
		return false
	}
	if last := i.Rune[len(i.Rune)-1]; last >= utf8.RuneSelf {
		return true
	}
	if len(i.Rune) == 1 && syntax.Flags(i.Arg)&syntax.FoldCase != 0 {
		for r := unicode.SimpleFold(i.Rune[0]); r != i.Rune[0]; r = unicode.SimpleFold(r) {
			if r >= utf8.RuneSelf {
				return true
			}
		}
	}
	return false
}

// uncut returns the last place up to cut that is not inside a match.
func uncut(found [][][]int, cut int) int {
	for moved := true; moved; {
		moved = false
		for _, matches := range found {
			for _, m := range matches {
				if m[0] < cut && cut < m[1] {
					cut, moved = m[0], true
				}
			}
		}
	}
	return cut
}

// masked is a copy of data with asterisks in the place of what was found.
func masked(data []byte, found [][][]int) []byte {
	data = slices.Clone(data)
	for _, matches := range found {
		for _, m := range matches {
			if len(m) > 2 {
				m = m[2:]
			}
			for i := 0; i+1 < len(m); i += 2 {
				stars(data, max(m[i], 0), m[i+1])
			}
		}
	}
	return data
}

// secretOf is where the first group of a match begins, or the match if it has no
// groups.
func secretOf(m []int) int {
	from := -1
	for i := 2; i+1 < len(m); i += 2 {
		if m[i] >= 0 && (from < 0 || m[i] < from) {
			from = m[i]
		}
	}
	if from < 0 {
		return m[0]
	}
	return from
}

func stars(data []byte, from, to int) {
	for i := from; i < to; i++ {
		data[i] = '*'
	}
}
