package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"shoal"
)

// partSuffix marks a file that is being written; no name may end in it.
const partSuffix = ".part"

// Dir is a Store in a directory.
type Dir struct {
	root *os.Root
}

var _ Store = (*Dir)(nil)

// OpenDir returns the store in the directory at path, which it creates, and
// removes what writers of a former process left unfinished. The directory
// belongs to one process at a time.
func OpenDir(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("create the blob directory: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open the blob directory: %w", err)
	}
	d := &Dir{root: root}
	if err := d.removeParts(); err != nil {
		root.Close()
		return nil, fmt.Errorf("clear the blob directory of unfinished files: %w", err)
	}
	return d, nil
}

// Close gives the directory back. Open files stay usable.
func (d *Dir) Close() error { return d.root.Close() }

func (d *Dir) removeParts() error {
	return fs.WalkDir(d.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, partSuffix) {
			return err
		}
		return d.root.Remove(name)
	})
}

// Create implements Store.
func (d *Dir) Create(_ context.Context, name string) (Writer, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := d.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("create blob %s: %w", name, fullDisk(err))
	}
	// Writers of the same name do not share a part, else one would commit the
	// other's bytes.
	part := name + "." + shoal.NewID[string]() + partSuffix
	f, err := d.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create blob %s: %w", name, fullDisk(err))
	}
	return &dirWriter{dir: d, file: f, name: name, part: part}, nil
}

// Open implements Store.
func (d *Dir) Open(_ context.Context, name string) (*Object, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	f, err := d.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", name, err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = ErrNotFound
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open blob %s: %w", name, err)
	}
	return &Object{ReadSeekCloser: f, Size: info.Size(), ModTime: info.ModTime()}, nil
}

// Delete implements Store.
func (d *Dir) Delete(_ context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete blob %s: %w", name, err)
	}
	return nil
}

type dirWriter struct {
	dir   *Dir
	file  *os.File
	name  string
	part  string
	size  int64
	ended bool
}

func (w *dirWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("write blob %s: %w", w.name, fullDisk(err))
	}
	return n, nil
}

func (w *dirWriter) Commit() (Info, error) {
	if w.ended {
		return Info{}, fmt.Errorf("commit blob %s: it has ended", w.name)
	}
	defer w.Abort()
	if err := w.file.Sync(); err != nil {
		return Info{}, fmt.Errorf("commit blob %s: %w", w.name, fullDisk(err))
	}
	stat, err := w.file.Stat()
	if err != nil {
		return Info{}, fmt.Errorf("commit blob %s: %w", w.name, err)
	}
	if err := w.file.Close(); err != nil {
		return Info{}, fmt.Errorf("commit blob %s: %w", w.name, fullDisk(err))
	}
	if err := w.dir.root.Rename(w.part, w.name); err != nil {
		return Info{}, fmt.Errorf("commit blob %s: %w", w.name, fullDisk(err))
	}
	w.ended = true
	if err := w.dir.sync(path.Dir(w.name)); err != nil {
		return Info{}, fmt.Errorf("commit blob %s: %w", w.name, err)
	}
	return Info{Size: w.size, ModTime: stat.ModTime(), ETag: newETag()}, nil
}

func (w *dirWriter) Abort() {
	if w.ended {
		return
	}
	w.ended = true
	// Nothing to report: an unfinished file is invisible, and the next start
	// removes what could not be removed now.
	_ = w.file.Close()
	_ = w.dir.root.Remove(w.part)
}

// sync makes a rename in a directory outlive a power cut.
func (d *Dir) sync(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// fullDisk gives "no space left" its name in the vocabulary, which pauses runs.
func fullDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &shoal.Error{Kind: shoal.KindStorageFull, Code: "StorageFull",
			Message: "the disk of the data directory is full", Err: err}
	}
	return err
}

func checkName(name string) error {
	parts := strings.Split(name, "/")
	valid := len(name) <= 200 && len(parts) <= 8 && !strings.HasSuffix(name, partSuffix)
	for _, part := range parts {
		valid = valid && part != "" && part[0] != '.' && !strings.ContainsFunc(part, notInName)
	}
	if !valid {
		return fmt.Errorf("blob name %q: want parts of letters, digits, '.', '-' and '_' joined by '/'", name)
	}
	return nil
}

func notInName(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
}
