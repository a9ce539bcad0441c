// Package blob keeps files by name: exports on their way out, uploads on
// their way in. A file appears whole or not at all and is never changed after.
// Dir keeps them in a directory of this machine, S3 in a bucket.
package blob

import (
	"context"
	"io"
	"time"

	"shoal"
)

// Store keeps files by name. A name is made of letters, digits, dots, dashes
// and underscores, in at most eight parts joined by slashes ("runs/<id>.csv").
type Store interface {
	// Create begins a file. Nothing is visible under name until Commit, which
	// replaces what was there.
	Create(ctx context.Context, name string) (Writer, error)
	// Open opens a file for reading anywhere in it. The caller closes it.
	// ErrNotFound when there is none.
	Open(ctx context.Context, name string) (*Object, error)
	// Delete removes a file. One that does not exist is no error.
	Delete(ctx context.Context, name string) error
}

// Writer is a file being written. Exactly one of Commit and Abort ends it;
// Abort after either does nothing, so that it can be deferred.
type Writer interface {
	io.Writer
	// Commit makes the file durable and visible.
	Commit() (Info, error)
	// Abort throws away what was written.
	Abort()
}

// Info describes a stored file.
type Info struct {
	Size    int64
	ModTime time.Time
	// ETag identifies these bytes, in quotes as HTTP wants it. It is fresh with
	// each Commit and known only then: who wants it later keeps it.
	ETag string
}

// Object is an open file.
type Object struct {
	io.ReadSeekCloser
	Size    int64
	ModTime time.Time
}

// ErrNotFound says that no file has the name.
var ErrNotFound = shoal.NotFound("BlobNotFound", "name", "there is no such file")

// newETag returns a strong validator for a file just written: files never
// change, so that a name for the act of writing names the bytes.
func newETag() string { return `"` + shoal.NewID[string]() + `"` }
