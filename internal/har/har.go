// Package har reads and writes HAR 1.2 files (HTTP Archive, the format in which
// browsers save what they loaded), replays one in the place of the web, and
// records one. Bodies are kept decoded; what could be a secret (cookies,
// authorization, passwords) is never written.
package har

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shoal/internal/fetch"
)

// maxFile bounds the file that is read: a recording is a test's, not a crawl's.
const maxFile = 256 << 20

// maxBody bounds one body after decompression.
const maxBody = 64 << 20

// File is a recording: exchanges in the order in which they began.
type File struct {
	// Name is the file's path in messages; it may be empty.
	Name    string
	Entries []Entry
}

// Entry is one exchange. Failed is why there was no answer; Status is then 0, or
// that of the answer that was given up.
type Entry struct {
	Started time.Time
	Elapsed time.Duration

	Method        string
	URL           string // without fragment
	RequestHeader http.Header
	RequestBody   string

	Status int
	Header http.Header
	// MediaType is the type without parameters, lower case.
	MediaType string
	// Body is decompressed and, when it is text, UTF-8.
	Body []byte
	// WireBytes is what came over the wire for the body, as far as it is known.
	WireBytes int64
	// Location is where a redirect leads, absolute or relative; else empty.
	Location string

	Failure fetch.Failure
	Failed  string
}

// Open reads the recording at path. The error names the file and what is wrong.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	return opened(file, path, err)
}

// OpenFS is Open for a file of fsys.
func OpenFS(fsys fs.FS, path string) (*File, error) {
	file, err := fsys.Open(path)
	return opened(file, path, err)
}

func opened(file fs.File, path string, err error) (*File, error) {
	if err != nil {
		if e, ok := errors.AsType[*fs.PathError](err); ok {
			err = e.Err
		}
		return nil, fmt.Errorf("read recording %s: %w", path, err)
	}
	defer file.Close()
	f, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("read recording %s: %w", path, err)
	}
	f.Name = path
	return f, nil
}

// Read reads a recording of at most 256 MiB, which may be compressed (.har.gz).
func Read(r io.Reader) (*File, error) {
	b := bufio.NewReader(r)
	r = b
	if start, _ := b.Peek(2); string(start) == "\x1f\x8b" {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		r = z
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("it is larger than %d MiB; record fewer pages", maxFile>>20)
	}
	return parse(raw)
}

// Save writes the recording to path, compressed if its name ends in .gz. What is
// there is replaced only when all of it is written.
func (f *File) Save(path string) (err error) {
	part, err := os.CreateTemp(filepath.Dir(path), ".har-*")
	if err != nil {
		return fmt.Errorf("write recording %s: %w", path, err)
	}
	err = f.writeAs(part, path)
	if cerr := part.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chmod(part.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write recording %s: %w", path, err), os.Remove(part.Name()))
	}
	return nil
}

func (f *File) writeAs(w io.Writer, path string) error {
	if !strings.HasSuffix(path, ".gz") {
		return f.Write(w)
	}
	z := gzip.NewWriter(w)
	if err := f.Write(z); err != nil {
		return err
	}
	return z.Close()
}
