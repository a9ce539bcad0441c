package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"shoal"
	"shoal/internal/export"
	"shoal/internal/jobs"
)

// Want has a file of an ended run's results made in the background, unless it
// is there or on its way, and returns it as it now is. missing says that a
// complete one was found to be gone. Errors: Conflict while the run is active,
// and what the format says to so many rows.
func (s *Service) Want(ctx context.Context, r *shoal.Run, form shoal.ExportForm, missing bool) (shoal.Export, error) {
	if !r.Status.Terminal() {
		return shoal.Export{}, shoal.Conflict("RunInProgress", "run_hash",
			"The run is %s: files are made of a run that has ended, so that they hold all its results", r.Status)
	}
	if err := s.fits(ctx, r, form); err != nil {
		return shoal.Export{}, err
	}
	return s.store.WantExport(ctx, r.ID, form, r.UniqueResults, missing)
}

// fits refuses more rows than the format can hold, before anything is written.
func (s *Service) fits(ctx context.Context, r *shoal.Run, form shoal.ExportForm) error {
	cols := export.Columns{}
	if !r.Settings.ExportUniqueResults {
		cols.Rows = r.UniqueResults
	}
	_, err := export.Write(ctx, io.Discard, form.Format, cols, func(func(*shoal.Result, error) bool) {})
	return err
}

// Convert makes a file that was wanted. It is the handler of jobs.KindConvert,
// and may be repeated after a kill at any instant: it begins anew, and the file
// appears whole.
func (s *Service) Convert(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
	var args jobs.ConvertArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return jobs.Done, shoal.Invalid("InvalidParam", "args", "convert job with unreadable arguments %s: %v", raw, err)
	}
	e, err := s.store.ExportRow(ctx, shoal.RunID(args.Run), shoal.Format(args.Format), args.Variant)
	if errors.Is(err, shoal.ErrRunNotFound) || err == nil && (e.State == shoal.ExportDone || e.State == shoal.ExportError) {
		return jobs.Done, nil
	}
	if err != nil {
		return jobs.Done, err
	}
	if !s.exports.begin(e.BlobName()) {
		return jobs.Done, nil // another job of this process does it, or is run again if it fails
	}
	defer s.exports.end(e.BlobName())
	if err := s.convert(ctx, &e); err != nil && !errors.Is(err, shoal.ErrRunNotFound) && !errors.Is(err, shoal.ErrResultsRemoved) {
		return jobs.Done, fmt.Errorf("make %s of run %s: %w", e.Format, e.RunID, err)
	}
	return jobs.Done, nil
}

func (s *Service) convert(ctx context.Context, e *shoal.Export) error {
	r, err := s.store.RunByID(ctx, e.RunID)
	if err != nil {
		return err
	}
	e.State = shoal.ExportConverting
	if err := s.store.NoteExport(ctx, e); err != nil {
		return err
	}
	cols, err := s.columns(ctx, &r, e.Form)
	if err == nil {
		err = s.writeFile(ctx, e, cols, s.watched(ctx, e, s.Rows(ctx, &r)))
	}
	if err == nil {
		return s.keep(ctx, e)
	}
	if _, unread := errors.AsType[*readError](err); unread || ctx.Err() != nil || shoal.KindOf(err) == shoal.KindInternal && !isVerdict(err) {
		return err
	}
	s.log.Error("a file of results was not made", "run", e.RunID, "format", e.Format, "err", err)
	e.State, e.Error = shoal.ExportError, reasonOf(err)
	return s.store.NoteExport(ctx, e)
}

// isVerdict reports whether err says that the file cannot be written or that the
// rows cannot be put into it, which a repeat would not change.
func isVerdict(err error) bool {
	_, unwritten := errors.AsType[*writeError](err)
	return unwritten || errors.Is(err, export.ErrRow)
}

// reasonOf says to a person why a file was not made, and what to do.
func reasonOf(err error) string {
	if failed, ok := errors.AsType[*writeError](err); ok {
		return "The file could not be written: " + failed.cause() + ". The results are safe in the database; mend the cause and ask for the file again."
	}
	if e, ok := errors.AsType[*shoal.Error](err); ok {
		return e.Message
	}
	return "The file could not be made: " + err.Error()
}

// noteEvery is how often the progress of a conversion is recorded.
const noteEvery = time.Second

// readError says that rows could not be read, which a repeat may change.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// watched passes rows on, and records in e how many.
func (s *Service) watched(ctx context.Context, e *shoal.Export, rows export.Rows) export.Rows {
	return func(yield func(*shoal.Result, error) bool) {
		e.Rows = 0 // some formats look at all rows before they write the first
		noted := time.Now()
		for row, err := range rows {
			if err != nil {
				yield(nil, &readError{err})
				return
			}
			if !yield(row, nil) {
				return
			}
			e.Rows++
			if e.Rows%1000 != 0 || time.Since(noted) < noteEvery {
				continue
			}
			noted = time.Now()
			if err := s.store.NoteExport(ctx, e); err != nil {
				yield(nil, &readError{err})
				return
			}
		}
	}
}
