package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFile is how large a file may be, white space included. What the server
// takes of a document is less.
const maxFile = 64 << 20

// A file is a document as it is in the directory.
type file struct {
	name   string // within the directory
	origin string
	doc    json.RawMessage // without white space between the tokens
}

// sum tells versions of a document apart.
func sum(doc json.RawMessage) string {
	h := sha256.Sum256(doc)
	return hex.EncodeToString(h[:])
}

// readFile reads the document in a file. What is not there is fs.ErrNotExist.
func readFile(dir, name string) (file, error) {
	path := filepath.Join(dir, name)
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return file{}, err
	case !info.Mode().IsRegular():
		return file{}, errors.New("not a regular file")
	case info.Size() > maxFile:
		return file{}, fmt.Errorf("%d bytes: a file of a document has at most %d", info.Size(), maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return file{}, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		return file{}, fmt.Errorf("not JSON: %w", err)
	}
	// By the very names, as the server has them: a struct would take "Origin" too.
	var v map[string]json.RawMessage
	origin := ""
	err = json.Unmarshal(b, &v)
	if err == nil && v["origin"] != nil {
		err = json.Unmarshal(v["origin"], &origin)
	}
	switch {
	case err != nil:
		return file{}, fmt.Errorf("not a document: %w", err)
	case origin == "":
		return file{}, errors.New(`no "origin"`)
	case !utf8.Valid(b) || strings.ContainsFunc(origin, func(r rune) bool { return unicode.IsControl(r) || r == utf8.RuneError }):
		return file{}, errors.New(`the "origin" has control characters, or half of a surrogate pair, or the file is not UTF-8`)
	case string(v["deleted"]) == "true":
		return file{}, errors.New(`it says that it is deleted: remove the file instead`)
	}
	return file{name, origin, compact.Bytes()}, nil
}

// fileName is the name that a new file gets. It is the same in every directory,
// fit for any file system, and two origins have the same one only if something
// had to be left out; the hash that is then in it tells them apart.
func fileName(origin string) string {
	host, whole := strings.CutPrefix(origin, "https://")
	var b strings.Builder
	for i, r := range host {
		switch plain := r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' && i > 0; {
		case b.Len() == 80:
			whole = false
		case plain:
			b.WriteRune(r)
		default:
			b.WriteByte('_')
			whole = false
		}
	}
	if b.Len() == 0 || !whole {
		return hashedName(b.String(), origin)
	}
	return b.String() + ".json"
}

func hashedName(stem, origin string) string {
	return stem + "-" + sum([]byte(origin))[:8] + ".json"
}

// scan reads the documents of a directory, by origin. Files that cannot be
// taken are problems, by name.
func scan(dir string) (files map[string]file, problems map[string]error, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	files, problems = map[string]file{}, map[string]error{}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || strings.HasPrefix(name, ".") || filepath.Ext(name) != ".json" {
			continue
		}
		f, err := readFile(dir, name)
		switch other, twice := files[f.origin]; {
		case errors.Is(err, fs.ErrNotExist): // removed a moment ago
		case err != nil:
			problems[name] = err
		case twice:
			problems[name] = fmt.Errorf("it has the same origin as %s", other.name)
		default:
			files[f.origin] = f
		}
	}
	return files, problems, nil
}

// replace puts a file in place, wholly or not at all. What it writes first is
// in the folder aside, which is on the same file system.
func replace(aside, path string, b []byte, perm os.FileMode) (err error) {
	tmp, err := os.CreateTemp(aside, "new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Chmod(perm), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	return flush(filepath.Dir(path))
}

// flush makes what was renamed in a directory, or removed from it, last.
func flush(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// pretty is how a document is written to a file.
func pretty(doc json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Indent(&b, doc, "", "  ") != nil { // it has been parsed before
		return doc
	}
	return append(b.Bytes(), '\n')
}
