package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// progress is what stands in FILE.cursor: how many bytes of FILE are results that
// the server may forget, and the token that says so to it.
type progress struct {
	Squid  string `json:"squid"`
	Cursor string `json:"cursor"`
	Format string `json:"format"`
	Offset int64  `json:"offset"`
	Ack    string `json:"ack"`
}

// followFile is a file of results that grows. Whenever its writer dies, what was
// written behind the last noted offset is cut off at the next start, and the
// server gives it again: each result is in the file once.
type followFile struct {
	file *os.File
	note string // the path of FILE.cursor
	at   progress
}

// noteOf is the name of the file that says how far a file is.
func noteOf(name string) string { return name + ".cursor" }

// openFollowFile opens a file and sets it back to what is noted of it. want says
// whose results are to be in it.
func openFollowFile(name string, want progress) (f *followFile, err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, &exit{exitUsage, fmt.Errorf("%s cannot be written: %w", name, cause(err))}
	}
	defer func() {
		if err != nil {
			file.Close()
		}
	}()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, &exit{exitUsage, fmt.Errorf("another shoal result follow writes %s", name)}
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &exit{exitUsage, fmt.Errorf("%s is no file; without -o the results go to standard output", name)}
	}
	f = &followFile{file: file, note: noteOf(name), at: want}
	if err := f.recall(name, info.Size()); err != nil {
		return nil, err
	}
	if err := file.Truncate(f.at.Offset); err != nil {
		return nil, fmt.Errorf("cut %s off behind what is acknowledged: %w", name, err)
	}
	_, err = file.Seek(f.at.Offset, io.SeekStart)
	return f, err
}

// recall reads what is noted of the file, or notes that there is nothing in it.
func (f *followFile) recall(name string, size int64) error {
	text, err := os.ReadFile(f.note)
	if errors.Is(err, fs.ErrNotExist) {
		if size > 0 {
			return &exit{exitUsage, fmt.Errorf("%s is there and has no %s beside it, which says how far it is: name another file", name, filepath.Base(f.note))}
		}
		return f.save()
	}
	if err != nil {
		return fmt.Errorf("read how far %s is: %w", name, cause(err))
	}
	var was progress
	if err := json.Unmarshal(text, &was); err != nil || was.Offset < 0 {
		return fmt.Errorf("%s does not say how far %s is: move both away, and begin anew", f.note, name)
	}
	if was.Squid != f.at.Squid || was.Cursor != f.at.Cursor || was.Format != f.at.Format {
		return &exit{exitUsage, fmt.Errorf("%s holds results of squid %s as %s, taken as %s: name another file", name, was.Squid, was.Format, was.Cursor)}
	}
	if size < was.Offset {
		return fmt.Errorf("%s has %d bytes, of which %d were acknowledged: something has cut it. Move it and %s away, and have the results again: shoal result cursor set %s %s",
			name, size, was.Offset, filepath.Base(f.note), was.Squid, was.Cursor)
	}
	f.at = was
	return nil
}

// add appends results and notes them as acknowledged by ack, in this order and
// each to the disk. If it fails the file is as it was.
func (f *followFile) add(body io.Reader, ack string) (int64, error) {
	n, err := io.Copy(f.file, body)
	if err == nil {
		err = f.file.Sync()
	}
	if err != nil {
		return 0, errors.Join(err, f.back())
	}
	was := f.at
	f.at.Offset, f.at.Ack = was.Offset+n, ack
	if err := f.save(); err != nil {
		f.at = was
		return 0, errors.Join(err, f.back())
	}
	return n, nil
}

// back cuts off what was added since the last note.
func (f *followFile) back() error {
	if err := f.file.Truncate(f.at.Offset); err != nil {
		return err
	}
	_, err := f.file.Seek(f.at.Offset, io.SeekStart)
	return err
}

// save replaces the note. After a power cut the old one or the new one is there.
func (f *followFile) save() error {
	text, err := json.Marshal(f.at)
	if err != nil {
		return err
	}
	err = func() error {
		part, err := os.OpenFile(f.note+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
		if err != nil {
			return err
		}
		_, err = part.Write(append(text, '\n'))
		if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
			return err
		}
		if err := os.Rename(part.Name(), f.note); err != nil {
			return err
		}
		dir, err := os.Open(filepath.Dir(f.note))
		if err != nil {
			return err
		}
		return errors.Join(dir.Sync(), dir.Close())
	}()
	if err != nil {
		return fmt.Errorf("note how far the file is: %w", err)
	}
	return nil
}

// firstLine returns what the file begins with, up to its first line break.
func (f *followFile) firstLine() ([]byte, error) {
	head := make([]byte, min(f.at.Offset, maxHeader))
	if _, err := f.file.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	return append(line, '\n'), nil
}

func (f *followFile) close() error { return f.file.Close() }
