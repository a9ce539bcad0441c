package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"shoal/internal/store"
)

// backupWriter takes the files of a backup.
type backupWriter interface {
	add(name string, info fs.FileInfo, content io.Reader) error
	close() error
}

// dirWriter writes a backup into the directory of its name.
type dirWriter string

func (d dirWriter) add(name string, info fs.FileInfo, content io.Reader) (err error) {
	to := filepath.Join(string(d), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) && name == store.DatabaseFiles[0] {
		return nil // it was copied into its place
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(f, content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func (d dirWriter) close() error { return syncDir(string(d)) }

// syncDir makes the names in a directory outlive a power cut.
func syncDir(dir string) (err error) {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return f.Sync()
}

// tarWriter writes a backup as a tar.
type tarWriter struct {
	tar  *tar.Writer
	gzip *gzip.Writer // nil: not compressed
	file *os.File     // nil: a stream of somebody else's
}

func newTarWriter(w io.Writer, file *os.File, compressed bool) *tarWriter {
	t := &tarWriter{file: file}
	if compressed {
		t.gzip = gzip.NewWriter(w)
		w = t.gzip
	}
	t.tar = tar.NewWriter(w)
	return t
}

func (t *tarWriter) add(name string, info fs.FileInfo, content io.Reader) error {
	h := &tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime(), Format: tar.FormatPAX}
	if err := t.tar.WriteHeader(h); err != nil {
		return err
	}
	// A file that grows meanwhile is taken as long as it was.
	_, err := io.CopyN(t.tar, content, info.Size())
	return err
}

func (t *tarWriter) close() error {
	err := t.tar.Close()
	if t.gzip != nil {
		err = errors.Join(err, t.gzip.Close())
	}
	if t.file != nil {
		err = errors.Join(err, t.file.Sync(), t.file.Close())
	}
	return err
}
