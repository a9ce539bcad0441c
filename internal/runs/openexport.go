package runs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/export"
)

// OpenExport returns a run's results in the given form: the stored file, a
// *blob.Object with its size, if there is one; else what WriteExport writes, made
// while it is read, with size -1. A reader that fails gives the cause as its
// error and never an io.EOF, so that half a file is not taken for a whole one.
// The caller closes it.
func (s *Service) OpenExport(ctx context.Context, run shoal.RunID, form shoal.ExportForm) (io.ReadCloser, int64, error) {
	o, err := s.stored(ctx, run, form)
	if err != nil {
		return nil, 0, fmt.Errorf("open the export of run %s: %w", run, err)
	}
	if o != nil {
		return o, o.Size, nil
	}
	r, err := s.store.RunByID(ctx, run)
	if err != nil {
		return nil, 0, fmt.Errorf("open the export of run %s: %w", run, err)
	}
	return s.stream(ctx, &r, form), -1, nil
}

// stored opens the stored file of a form; nil when there is none.
func (s *Service) stored(ctx context.Context, run shoal.RunID, form shoal.ExportForm) (*blob.Object, error) {
	e, err := s.store.ExportOf(ctx, run, form.Format, form.Variant())
	if shoal.KindOf(err) == shoal.KindNotFound && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	o, err := s.blobs.Open(ctx, e.Blob)
	if err != nil {
		if !errors.Is(err, blob.ErrNotFound) {
			// Where the files are does not answer, and the rows are here.
			s.log.Warn("a file of results cannot be opened and is read from the rows", "file", e.Blob, "err", err)
		}
		return nil, nil
	}
	if err := s.store.UseExport(ctx, &e); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// WriteExport writes a run's results to w in the given form as they are read,
// and returns how many rows it wrote.
func (s *Service) WriteExport(ctx context.Context, w io.Writer, r *shoal.Run, form shoal.ExportForm) (int64, error) {
	if !r.ResultsRemovedAt.IsZero() {
		return 0, shoal.ErrResultsRemoved
	}
	cols, err := s.columns(ctx, r, form)
	if err != nil {
		return 0, err
	}
	n, err := export.Write(ctx, w, form.Format, cols, s.Rows(ctx, r))
	if err != nil {
		return n, err
	}
	// Results that were removed meanwhile must not look like a file's end.
	now, err := s.store.RunByID(ctx, r.ID)
	if err == nil && !now.ResultsRemovedAt.IsZero() {
		err = shoal.ErrResultsRemoved
	}
	return n, err
}

// stream writes an export into the reader that it returns.
func (s *Service) stream(ctx context.Context, r *shoal.Run, form shoal.ExportForm) io.ReadCloser {
	ctx, cancel := context.WithCancel(ctx)
	out, in := io.Pipe()
	written := make(chan struct{})
	go func() {
		defer close(written)
		_, err := s.WriteExport(ctx, in, r, form)
		in.CloseWithError(err) // nil: the end of the file
	}()
	return &exportStream{out, cancel, written}
}

// exportStream is an export that is made while it is read.
type exportStream struct {
	*io.PipeReader
	cancel  context.CancelFunc
	written <-chan struct{}
}

// Close ends the writing of what has not been read, and waits for that.
func (x *exportStream) Close() error {
	x.cancel()
	err := x.PipeReader.Close()
	<-x.written
	return err
}
