package deliver

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"shoal"
	"shoal/internal/blob"
)

// Exports gives the results of runs as files.
type Exports interface {
	// OpenExport returns a run's results in a form: the stored file with its size,
	// or what is made of the rows as it is read, with size -1.
	OpenExport(ctx context.Context, run shoal.RunID, form shoal.ExportForm) (io.ReadCloser, int64, error)
}

// files finds the files of runs.
type files struct {
	exports Exports // nil: only what is stored
	store   Store
	blobs   blob.Store
}

// open returns a run's results in a form, with their size, -1 while that is not
// known. The caller closes it.
func (f *files) open(ctx context.Context, run shoal.RunID, form shoal.ExportForm) (io.ReadCloser, int64, error) {
	form.Format = cmp.Or(form.Format, shoal.FormatCSV)
	if f.exports != nil {
		file, size, err := f.exports.OpenExport(ctx, run, form)
		if err != nil {
			return nil, 0, fmt.Errorf("the run's results cannot be read: %w", err)
		}
		return file, size, nil
	}
	e, err := f.store.ExportOf(ctx, run, form.Format, form.Variant())
	if err != nil {
		return nil, 0, fmt.Errorf("the run has no export file: make it again with POST /v1/runs/%s/export, then redeliver: %w", run, err)
	}
	o, err := f.blobs.Open(ctx, e.Blob)
	if err != nil {
		return nil, 0, fmt.Errorf("the run's export file is missing: make it again with POST /v1/runs/%s/export, then redeliver: %w", run, err)
	}
	return o, o.Size, nil
}

// errTooLarge says that a file is larger than was asked for.
var errTooLarge = errors.New("the file is too large")

// small returns a run's results in a form if they have at most limit bytes, and
// else errTooLarge. What is not stored is held in memory.
func (f *files) small(ctx context.Context, run shoal.RunID, form shoal.ExportForm, limit int64) (_ io.ReadSeekCloser, size int64, err error) {
	file, size, err := f.open(ctx, run, form)
	if err != nil {
		return nil, 0, err
	}
	if stored, ok := file.(*blob.Object); ok && size <= limit {
		return stored, size, nil
	}
	defer file.Close()
	if size > limit {
		return nil, size, errTooLarge
	}
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, 0, fmt.Errorf("the run's results cannot be read: %w", err)
	}
	if size = int64(len(b)); size > limit {
		return nil, size, errTooLarge
	}
	return held{bytes.NewReader(b)}, size, nil
}

// held is a file in memory.
type held struct{ *bytes.Reader }

func (held) Close() error { return nil }
