package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/brownout-go/brownout"

// A pkg is one folder of Go files.
type pkg struct {
	dir   string               // slash-separated, relative to the repository; "." for its root
	files map[string]*ast.File // by path relative to the repository; tests included
}

func isTest(name string) bool { return strings.HasSuffix(name, "_test.go") }

// imports calls f for each import of the package's files, tests excluded.
func (p pkg) imports(f func(file, imported string)) {
	for name, file := range p.files {
		if isTest(name) {
			continue
		}
		for _, spec := range file.Imports {
			f(name, strings.Trim(spec.Path.Value, `"`))
		}
	}
}

// root is the repository's folder, two above this one.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.work")); err != nil {
		t.Skipf("not in the repository's work tree: %v", err)
	}
	return dir
}

// walk calls f for every file of the repository, with its slash-separated path.
func walk(t *testing.T, f func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root(t)), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == ".git" || d.Name() == "node_modules"):
			return fs.SkipDir
		case !d.IsDir():
			f(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// packages parses every Go file of every module of the repository.
func packages(t *testing.T) (map[string]pkg, *token.FileSet) {
	t.Helper()
	dir, fset, pkgs := root(t), token.NewFileSet(), map[string]pkg{}
	walk(t, func(name string) {
		if !strings.HasSuffix(name, ".go") || strings.Contains(name, "/testdata/") {
			return
		}
		file, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p, ok := pkgs[path.Dir(name)]
		if !ok {
			p = pkg{dir: path.Dir(name), files: map[string]*ast.File{}}
			pkgs[p.dir] = p
		}
		p.files[name] = file
	})
	return pkgs, fset
}
