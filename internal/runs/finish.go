package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"

	"shoal"
	"shoal/internal/export"
	"shoal/internal/jobs"
)

// exporting names the files that this process writes at the moment.
type exporting struct {
	mu    sync.Mutex
	files map[string]bool
}

func (x *exporting) begin(file string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.files[file] {
		return false
	}
	x.files[file] = true
	return true
}

func (x *exporting) end(file string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.files, file)
}

// Finish ends a run whose tasks have ended, or makes a wanted export. It is
// the handler of jobs.KindFinish, and may be repeated after a kill at any
// instant: each step leaves a state from which the next begins.
func (s *Service) Finish(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
	var args jobs.RunArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return jobs.Done, shoal.Invalid("InvalidParam", "args", "finish job with unreadable arguments %s: %v", raw, err)
	}
	id := shoal.RunID(args.Run)
	file := shoal.Export{RunID: id, Format: shoal.FormatCSV}
	if !s.exports.begin(file.BlobName()) {
		return jobs.Done, nil // another job of this process does it, or is run again if it fails
	}
	defer s.exports.end(file.BlobName())
	if err := s.finish(ctx, id); err != nil {
		return jobs.Done, fmt.Errorf("finish run %s: %w", id, err)
	}
	return jobs.Done, nil
}

func (s *Service) finish(ctx context.Context, id shoal.RunID) error {
	r, err := s.store.RunByID(ctx, id)
	if errors.Is(err, shoal.ErrRunNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if r.Status == shoal.RunRunning {
		if r, err = s.endTasks(ctx, &r); err != nil {
			return err
		}
	}
	wanted := r.Status == shoal.RunUploading || r.Status.Terminal() && !r.ExportDone
	if !wanted {
		return nil
	}
	var fill export.Fill
	file, err := s.export(ctx, &r, &fill)
	if failed, ok := errors.AsType[*writeError](err); ok {
		s.log.Error("export failed", "run", id, "err", failed.err)
		return s.tell(ctx, id, Event{On: OnExportFailed, Desc: failed.describe()})
	}
	if err != nil {
		return err
	}
	if err := s.keep(ctx, &file); err != nil {
		return err
	}
	var warning string
	if r.Status == shoal.RunUploading {
		if warning, err = s.judge(ctx, &r, &fill); err != nil {
			return err
		}
	}
	return s.tell(ctx, id, Event{On: OnExported, Desc: warning})
}

// endTasks moves a run whose tasks have all ended on, and returns it as it
// then is: unchanged when there is work left after all.
func (s *Service) endTasks(ctx context.Context, r *shoal.Run) (shoal.Run, error) {
	e := Event{On: OnTasksEnded}
	if r.TasksFailed > 0 {
		desc, err := s.lastFailure(ctx, r)
		if err != nil {
			return *r, err
		}
		e.Desc = desc
	}
	next, err := s.change(ctx, r.ID, engineActor, e)
	if shoal.KindOf(err) == shoal.KindConflict && err != nil {
		return *r, nil
	}
	return next, err
}

// lastFailure returns what the run's log says of its newest failure, as far
// as that lies among its last entries; empty: nothing.
func (s *Service) lastFailure(ctx context.Context, r *shoal.Run) (string, error) {
	log, err := s.store.RunLog(ctx, r.WorkspaceID, r.ID, shoal.Window{Page: 1, Limit: 100})
	if err != nil {
		return "", fmt.Errorf("read the run's log: %w", err)
	}
	for i := range log.Items {
		var entry shoal.RequestLog
		if log.Items[i].Kind != shoal.EventRequest {
			continue
		}
		if err := json.Unmarshal(log.Items[i].Payload, &entry); err != nil {
			return "", fmt.Errorf("read the run's log: %w", err)
		}
		if entry.Error != "" && !entry.Retry {
			return entry.Error, nil
		}
	}
	return "", nil
}

// writeError says that the export's file could not be written, unlike a
// database that could not be read: the one is a verdict, the other is tried again.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// cause says what went wrong, the operating system's own words first.
func (e *writeError) cause() string {
	cause := e.err.Error()
	if errno, ok := errors.AsType[syscall.Errno](e.err); ok {
		cause = errno.Error() + " (" + cause + ")"
	}
	return cause
}

// describe says it to the person who reads the run.
func (e *writeError) describe() string {
	return "The results could not be exported: " + e.cause() +
		". They are safe in the database; mend the cause and ask for the export again with POST /v1/runs/{run}/export."
}

// failWriter remembers that writing failed.
type failWriter struct {
	w io.Writer
}

func (f failWriter) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}

// export writes the run's results as CSV into the blob store, and counts in fill
// which fields they fill.
func (s *Service) export(ctx context.Context, r *shoal.Run, fill *export.Fill) (shoal.Export, error) {
	e := shoal.Export{RunID: r.ID, Format: shoal.FormatCSV, Form: shoal.ExportForm{Format: shoal.FormatCSV}}
	cols, err := s.columns(ctx, r, e.Form)
	if err != nil {
		return e, err
	}
	cols.Fill = fill
	return e, s.writeFile(ctx, &e, cols, s.Rows(ctx, r))
}

// writeFile writes the file of e into the blob store.
func (s *Service) writeFile(ctx context.Context, e *shoal.Export, cols export.Columns, rows export.Rows) error {
	e.Blob = e.BlobName()
	file, err := s.blobs.Create(ctx, e.Blob)
	if err != nil {
		return s.writing(ctx, err)
	}
	defer file.Abort()
	if e.Rows, err = export.Write(ctx, failWriter{file}, e.Format, cols, rows); err != nil {
		return err
	}
	info, err := file.Commit()
	if err != nil {
		return s.writing(ctx, err)
	}
	e.Size, e.ETag, e.CreatedAt = info.Size, info.ETag, s.now()
	return nil
}

// keep records a file that is written. That of a run which was deleted
// meanwhile, or whose results were removed, is removed.
func (s *Service) keep(ctx context.Context, e *shoal.Export) error {
	err := s.store.SaveExport(ctx, *e)
	if errors.Is(err, shoal.ErrRunNotFound) || errors.Is(err, shoal.ErrResultsRemoved) {
		return errors.Join(err, s.blobs.Delete(ctx, e.Blob))
	}
	if err != nil {
		return fmt.Errorf("record the export: %w", err)
	}
	return nil
}

// writing makes err a verdict unless the process is only stopping.
func (s *Service) writing(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &writeError{err}
}

// columns are the columns of a file of the run's results.
func (s *Service) columns(ctx context.Context, r *shoal.Run, form shoal.ExportForm) (export.Columns, error) {
	attributes, err := s.Attributes(ctx, r)
	if err != nil {
		return export.Columns{}, err
	}
	cols := export.ColumnsOf(&form, attributes)
	cols.NoLineBreaks = r.Settings.NoLineBreaks
	if !r.Settings.ExportUniqueResults {
		cols.Rows = r.UniqueResults
	}
	return cols, nil
}
