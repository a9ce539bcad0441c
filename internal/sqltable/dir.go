package sqltable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"shoal"
)

// Dir is the directory that the operator gave for SQLite files. Each workspace
// has a directory of its own in it.
type Dir struct {
	root *os.Root
	path string // without links
}

// OpenDir opens the directory, and makes it if it is missing. It must not hold,
// be in, or be one of the directories apart, where Shoal keeps its own data.
func OpenDir(dir string, apart ...string) (*Dir, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, err
	}
	real, err := realPath(dir)
	if err != nil {
		return nil, err
	}
	for _, other := range apart {
		own, err := realPath(other)
		if err != nil {
			return nil, err
		}
		if within(real, own) || within(own, real) {
			return nil, fmt.Errorf("%s and %s must lie apart: one holds the other", dir, other)
		}
	}
	root, err := os.OpenRoot(real)
	if err != nil {
		return nil, err
	}
	return &Dir{root, real}, nil
}

// Close gives the directory back.
func (d *Dir) Close() error { return d.root.Close() }

func realPath(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// within reports whether a is b or below it.
func within(a, b string) bool {
	rel, err := filepath.Rel(b, a)
	return err == nil && (rel == "." || rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)))
}

const maxDepth = 6

var endings = []string{".db", ".sqlite", ".sqlite3"}

// plainName reports whether a name of a file or a directory is one of letters,
// digits, _, -, spaces and dots that begins with none of the last three, and not
// longer than 100 characters. (As a pattern it took 4 MB and 17 ms at each start.)
func plainName(s string) bool {
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsNumber(r), r == '_':
		case i > 0 && (r == '-' || r == ' ' || r == '.'):
		default:
			return false
		}
	}
	return s != "" && utf8.RuneCountInString(s) <= 100
}

// badFile says why no SQLite file may have the name; "" if it may. The endings
// keep a file from being another one's journal.
func badFile(name string) string {
	parts := strings.Split(name, "/")
	switch {
	case name == "":
		return "a name is needed"
	case len(parts) > maxDepth:
		return "it lies too deep"
	case !slices.Contains(endings, path.Ext(name)):
		return "it must end in .db, .sqlite or .sqlite3"
	}
	for _, part := range parts {
		if !plainName(part) {
			return "the names in it have letters, digits, _, -, spaces and dots, and begin with a letter or digit"
		}
	}
	return ""
}

// place makes sure that the workspace's file may be opened by its name and
// returns its whole path. One that is not there is made, empty.
func (d *Dir) place(ws shoal.WorkspaceID, name string) (file string, err error) {
	if !plainName(string(ws)) {
		return "", fmt.Errorf("the workspace %q has no directory", string(ws))
	}
	name = string(ws) + "/" + name
	if err := d.root.MkdirAll(path.Dir(name), 0o750); err != nil {
		return "", below(err)
	}
	// A link inside the directory leads to another workspace's file.
	for part := name; part != "."; part = path.Dir(part) {
		info, err := d.root.Lstat(part)
		switch {
		case errors.Is(err, fs.ErrNotExist) && part == name:
			continue
		case err != nil:
			return "", below(err)
		case part == name && !info.Mode().IsRegular(), part != name && !info.IsDir():
			return "", &Error{Message: fmt.Sprintf("%s is neither a file nor in directories: links are not followed", path.Base(part)), Final: true}
		}
	}
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o640)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", below(err)
	}
	return filepath.Join(d.path, filepath.FromSlash(name)), nil
}

// has reports whether the file is there.
func (d *Dir) has(ws shoal.WorkspaceID, name string) bool {
	_, err := d.root.Lstat(string(ws) + "/" + name)
	return err == nil
}

// remove takes a file away that nobody else uses.
func (d *Dir) remove(ws shoal.WorkspaceID, name string) error {
	return d.root.Remove(string(ws) + "/" + name)
}

// below names what went wrong without the path of the directory, which is the
// operator's.
func below(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return &Error{Message: fmt.Sprintf("The file cannot be opened in the directory of deliveries: %v", e.Err), Err: err}
	}
	return err
}
