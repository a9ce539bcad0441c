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

// exporting names the runs that this process exports at the moment.
type exporting struct {
	mu   sync.Mutex
	runs map[shoal.RunID]bool
}

func (x *exporting) begin(id shoal.RunID) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.runs[id] {
		return false
	}
	x.runs[id] = true
	return true
}

func (x *exporting) end(id shoal.RunID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.runs, id)
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
	if !s.exports.begin(id) {
		return jobs.Done, nil // another job of this process does it, or is run again if it fails
	}
	defer s.exports.end(id)
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
	if err := s.store.SaveExport(ctx, file); err != nil {
		return fmt.Errorf("record the export: %w", err)
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

// describe says it to the person who reads the run.
func (e *writeError) describe() string {
	cause := e.err.Error()
	if errno, ok := errors.AsType[syscall.Errno](e.err); ok {
		cause = errno.Error() + " (" + cause + ")"
	}
	return "The results could not be exported: " + cause +
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
	cols, err := s.columns(ctx, r)
	if err != nil {
		return shoal.Export{}, err
	}
	cols.Fill = fill
	name := "runs/" + string(r.ID) + "/results.csv"
	file, err := s.blobs.Create(ctx, name)
	if err != nil {
		return shoal.Export{}, s.writing(ctx, err)
	}
	defer file.Abort()
	rows, err := export.Write(ctx, failWriter{file}, shoal.FormatCSV, cols, s.Rows(ctx, r))
	if err != nil {
		return shoal.Export{}, err
	}
	info, err := file.Commit()
	if err != nil {
		return shoal.Export{}, s.writing(ctx, err)
	}
	return shoal.Export{
		RunID: r.ID, Format: shoal.FormatCSV, Blob: name, Size: info.Size, ETag: info.ETag,
		Rows: rows, CreatedAt: s.now(),
	}, nil
}

// writing makes err a verdict unless the process is only stopping.
func (s *Service) writing(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &writeError{err}
}

// columns are the columns of the run's export.
func (s *Service) columns(ctx context.Context, r *shoal.Run) (export.Columns, error) {
	attributes, err := s.Attributes(ctx, r)
	if err != nil {
		return export.Columns{}, err
	}
	return export.Columns{Attributes: attributes, NoLineBreaks: r.Settings.NoLineBreaks}, nil
}
