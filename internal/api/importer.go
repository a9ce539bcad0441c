package api

import (
	"context"
	"errors"
	"fmt"
	"io"

	"shoal"
	"shoal/internal/blob"
)

const (
	importBatch     = 1000 // rows in one transaction
	maxUploadErrors = 100  // wrong rows that an upload remembers
)

// Importer brings uploaded files of tasks into their squids. It is the handler
// of the import job and needs no server.
type Importer struct {
	Store interface {
		UploadByID(ctx context.Context, id shoal.UploadID) (shoal.TaskUpload, error)
		ImportTasks(ctx context.Context, u shoal.TaskUpload, tasks []shoal.NewTask) (inserted int, err error)
		Squid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) (shoal.Squid, error)
	}
	Catalogue Catalogue
	Blob      blob.Store
}

// Import does the upload id from where it stands: an interrupted import goes
// on after the last batch that was committed. A file that cannot be read ends
// as FAILURE, which is no error of the job.
func (im *Importer) Import(ctx context.Context, id shoal.UploadID) error {
	u, err := im.Store.UploadByID(ctx, id)
	if errors.Is(err, shoal.ErrUploadNotFound) {
		return nil // deleted with its squid
	}
	if err != nil {
		return fmt.Errorf("import %s: %w", id, err)
	}
	if u.State == shoal.UploadSuccess || u.State == shoal.UploadFailure {
		return im.drop(ctx, &u)
	}
	if err := im.rows(ctx, &u); err != nil {
		if !isUserError(err) {
			return fmt.Errorf("import %s: %w", id, err)
		}
		if err := im.finish(ctx, &u, err); err != nil {
			return fmt.Errorf("import %s: %w", id, err)
		}
	}
	return im.drop(ctx, &u)
}

// isUserError reports whether trying again would end the same way.
func isUserError(err error) bool {
	switch shoal.KindOf(err) {
	case shoal.KindInvalid, shoal.KindNotFound, shoal.KindBusiness:
		return true
	}
	return false
}

// finish records that the upload failed as a whole.
func (im *Importer) finish(ctx context.Context, u *shoal.TaskUpload, cause error) error {
	u.State = shoal.UploadFailure
	u.Errors = append(u.Errors, uploadError(u.Line, cause))
	_, err := im.Store.ImportTasks(ctx, *u, nil)
	if errors.Is(err, shoal.ErrUploadNotFound) || errors.Is(err, shoal.ErrSquidNotFound) {
		return nil
	}
	return err
}

func (im *Importer) drop(ctx context.Context, u *shoal.TaskUpload) error {
	if err := im.Blob.Delete(ctx, u.Blob); err != nil {
		return fmt.Errorf("import %s: %w", u.ID, err)
	}
	return nil
}

func (im *Importer) rows(ctx context.Context, u *shoal.TaskUpload) error {
	squid, err := im.Store.Squid(ctx, u.WorkspaceID, u.SquidID)
	if err != nil {
		return err
	}
	program, err := im.Catalogue.Lookup(ctx, u.WorkspaceID, string(squid.CrawlerID))
	if err != nil {
		return err
	}
	file, err := im.Blob.Open(ctx, u.Blob)
	if err != nil {
		return err
	}
	defer file.Close()
	t, err := openTable(file, u.FileName, program.Info())
	if err != nil {
		return err
	}
	b := batch{im: im, u: u}
	for {
		r, err := t.next()
		if err == io.EOF {
			return b.commit(ctx, shoal.UploadSuccess)
		}
		if err != nil {
			return err
		}
		if r.line <= u.Line {
			continue // imported before an interruption
		}
		b.add(program, r)
		if len(b.tasks) >= importBatch {
			if err := b.commit(ctx, shoal.UploadProgress); err != nil {
				return err
			}
		}
	}
}

// batch is the rows that go into one transaction. Until that is committed the
// upload's figures stand as they were, so that a kill loses both or neither.
type batch struct {
	im    *Importer
	u     *shoal.TaskUpload
	tasks []shoal.NewTask
	wrong []shoal.UploadError
	bad   int64
	line  int64
}

func (b *batch) add(p Program, r row) {
	b.line = r.line
	if r.err == nil {
		var task shoal.NewTask
		if task.Params, task.Digest, r.err = p.CheckTask(r.params); r.err == nil {
			b.tasks = append(b.tasks, task)
			return
		}
	}
	b.bad++
	if len(b.u.Errors)+len(b.wrong) < maxUploadErrors {
		b.wrong = append(b.wrong, uploadError(r.line, r.err))
	}
}

// commit imports the batch and moves the upload to state. ImportTasks itself
// adds to Inserted and Duplicates; the copy here follows it.
func (b *batch) commit(ctx context.Context, state shoal.UploadState) error {
	u := *b.u
	u.State, u.Line = state, max(b.line, u.Line)
	u.Valid += int64(len(b.tasks))
	u.Invalid += b.bad
	u.Errors = append(u.Errors[:len(u.Errors):len(u.Errors)], b.wrong...)
	inserted, err := b.im.Store.ImportTasks(ctx, u, b.tasks)
	if err != nil {
		return err
	}
	u.Inserted += int64(inserted)
	u.Duplicates += int64(len(b.tasks) - inserted)
	*b = batch{im: b.im, u: b.u, tasks: b.tasks[:0]}
	*b.u = u
	return nil
}

func uploadError(line int64, err error) shoal.UploadError {
	out := shoal.UploadError{Line: line, Message: err.Error()}
	if e, ok := errors.AsType[*shoal.Error](err); ok {
		out.Param, out.Message = e.Param, e.Message
	}
	return out
}
