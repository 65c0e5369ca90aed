package arch

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var goSnippet = regexp.MustCompile("(?s)```go\n(.*?)```")

// TestReadmeSnippets demands that each Go snippet of a Markdown file stands,
// word for word, in a compiled test file: as a whole function or as a
// function's body.
func TestReadmeSnippets(t *testing.T) {
	dir := root(t)
	pkgs, fset := packages(t)
	known := map[string]bool{}
	for _, p := range pkgs {
		for file, f := range p.files {
			if !isTest(file) {
				continue
			}
			src, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range f.Decls {
				d, ok := decl.(*ast.FuncDecl)
				if !ok || d.Body == nil {
					continue
				}
				text := func(from, to token.Pos) string {
					return string(src[fset.Position(from).Offset:fset.Position(to).Offset])
				}
				known[squeeze(text(d.Pos(), d.End()))] = true
				body := text(d.Body.Lbrace+1, d.Body.Rbrace)
				body, _, _ = strings.Cut(body, "// Output:")
				known[squeeze(body)] = true
			}
		}
	}
	walk(t, func(file string) {
		if filepath.Ext(file) != ".md" {
			return
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range goSnippet.FindAllStringSubmatch(string(text), -1) {
			if !known[squeeze(m[1])] {
				t.Errorf("%s: this snippet is no test or Example function, nor the body of one:\n%s", file, m[1])
			}
		}
	})
}

// squeeze makes two texts equal that differ in white space only.
func squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }
