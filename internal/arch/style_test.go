package arch

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maxExported is how many top-level names a reader can hold; a package that
// needs more is two packages.
const maxExported = 30

func TestEveryPackageIsDocumented(t *testing.T) {
	pkgs, _ := packages(t)
	for dir, p := range pkgs {
		documented, onlyTests := false, true
		for name, file := range p.files {
			if !isTest(name) {
				onlyTests = false
			}
			documented = documented || file.Doc != nil && len(strings.Fields(file.Doc.Text())) >= 5
		}
		if !documented {
			where := "doc.go"
			if onlyTests {
				where = "a test file"
			}
			t.Errorf("package %s has no doc comment: say in %s what it is for", dir, where)
		}
	}
}

func TestExportedNames(t *testing.T) {
	pkgs, fset := packages(t)
	for dir, p := range pkgs {
		if strings.HasPrefix(dir, "examples") {
			continue
		}
		n := 0
		for name, file := range p.files {
			if isTest(name) {
				continue
			}
			for _, decl := range file.Decls {
				for _, id := range exported(decl) {
					n++
					if id.doc == nil {
						t.Errorf("%s: %s has no doc comment", fset.Position(id.pos), id.name)
					}
				}
			}
		}
		if n > maxExported {
			t.Errorf("package %s exports %d names, want at most %d: is it two packages?", dir, n, maxExported)
		}
	}
}

type name struct {
	name string
	pos  token.Pos
	doc  *ast.CommentGroup
}

// exported lists the names the declaration adds to the package's index as go
// doc -short prints it: types, functions, variables, constants. The names of
// one const or var block count as one, for they are read together, and methods
// and constructors belong to their type.
func exported(decl ast.Decl) []name {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.IsExported() && !constructs(d) {
			return []name{{d.Name.Name, d.Pos(), d.Doc}}
		}
	case *ast.GenDecl:
		var names []name
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				doc := s.Doc
				if doc == nil {
					doc = d.Doc
				}
				if s.Name.IsExported() {
					names = append(names, name{s.Name.Name, s.Pos(), doc})
				}
			case *ast.ValueSpec:
				doc := s.Doc
				if doc == nil {
					doc = d.Doc
				}
				if doc == nil {
					doc = s.Comment // behind the name, as lists of constants have it
				}
				if s.Names[0].IsExported() && len(names) == 0 {
					names = append(names, name{s.Names[0].Name, s.Pos(), doc})
				}
			}
		}
		return names
	}
	return nil
}

// constructs reports whether a function returns a type of its own package.
func constructs(d *ast.FuncDecl) bool {
	if d.Type.Results == nil {
		return false
	}
	first := d.Type.Results.List[0].Type
	if star, ok := first.(*ast.StarExpr); ok {
		first = star.X
	}
	id, ok := first.(*ast.Ident)
	return ok && id.IsExported()
}

func TestNoInit(t *testing.T) {
	pkgs, fset := packages(t)
	for _, p := range pkgs {
		for file, f := range p.files {
			if isTest(file) {
				continue
			}
			for _, decl := range f.Decls {
				if d, ok := decl.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
					t.Errorf("%s: init runs in every importer; construct it where it is used", fset.Position(d.Pos()))
				}
			}
		}
	}
}

// elsewhere matches what only makes sense on one machine or network.
var elsewhere = regexp.MustCompile(`(^|[^\w.])/(work|root)/|proxy\.golang\.org|registry\.npmjs|deb\.debian\.org`)

func TestNoMachinePaths(t *testing.T) {
	dir := root(t)
	walk(t, func(file string) {
		switch path.Ext(file) {
		case ".go", ".md", ".mod", ".work", ".yaml", ".yml", ".json", ".sql", ".sh", ".html", "":
		default:
			return
		}
		if file == "internal/arch/style_test.go" {
			return
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			return
		}
		for i, line := range strings.Split(string(text), "\n") {
			if m := elsewhere.FindString(line); m != "" {
				t.Errorf("%s:%d names %q, which is not part of the project", file, i+1, m)
			}
		}
	})
}
