package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"shoal"
	"shoal/internal/jobs"
)

const uploadQuery = `SELECT u.id, w.id, s.id, u.state, u.blob, u.file_name, u.line, u.valid, u.inserted,
		u.duplicates, u.invalid, u.errors, u.created_at
	FROM task_uploads u JOIN squids s ON s.pk = u.squid_pk JOIN workspaces w ON w.pk = u.workspace_pk
	WHERE s.deleted_at = 0 AND u.id = $1`

func scanUpload(r scanner) (u shoal.TaskUpload, err error) {
	var created int64
	var refused []byte
	err = r.Scan(&u.ID, &u.WorkspaceID, &u.SquidID, &u.State, &u.Blob, &u.FileName, &u.Line, &u.Valid, &u.Inserted,
		&u.Duplicates, &u.Invalid, &refused, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return u, shoal.ErrUploadNotFound
	}
	if err != nil {
		return u, fmt.Errorf("read task upload: %w", err)
	}
	u.CreatedAt = fromMicros(created)
	if err := json.Unmarshal(refused, &u.Errors); err != nil {
		return u, fmt.Errorf("read task upload %s: its errors: %w", u.ID, err)
	}
	return u, nil
}

// CreateUpload records an uploaded file and enqueues its import.
func (s *Store) CreateUpload(ctx context.Context, u shoal.TaskUpload) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		t, err := s.tally(ctx, tx, "", u.WorkspaceID, u.SquidID)
		if err != nil {
			return err
		}
		const q = `INSERT INTO task_uploads (id, workspace_pk, squid_pk, state, blob, file_name, created_at)
			VALUES ($1, (SELECT pk FROM workspaces WHERE id = $2), $3, $4, $5, $6, $7)`
		_, err = tx.ExecContext(ctx, q, string(u.ID), string(u.WorkspaceID), t.pk, string(shoal.UploadPending),
			u.Blob, u.FileName, micros(s.now()))
		if err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, jobs.New(jobs.KindImport, jobs.UploadArgs{Upload: string(u.ID)})); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("create task upload: %w", err)
	}
	return nil
}

// Upload returns a task upload.
func (s *Store) Upload(ctx context.Context, ws shoal.WorkspaceID, id shoal.UploadID) (shoal.TaskUpload, error) {
	return scanUpload(s.read.QueryRowContext(ctx, uploadQuery+` AND w.id = $2`, string(id), string(ws)))
}

// UploadByID is Upload for the import job, which has no caller.
func (s *Store) UploadByID(ctx context.Context, id shoal.UploadID) (shoal.TaskUpload, error) {
	return scanUpload(s.read.QueryRowContext(ctx, uploadQuery, string(id)))
}

// ImportTasks adds tasks and moves the upload to u's State, Line, Valid,
// Invalid and Errors in one transaction; Inserted and Duplicates it keeps
// itself. It returns how many tasks were new.
//
// Tasks count once: those of a call whose Line is not past the stored one, and
// any for an upload that has ended, were imported before or by another worker,
// and the call changes nothing.
func (s *Store) ImportTasks(ctx context.Context, u shoal.TaskUpload, tasks []shoal.NewTask) (int, error) {
	prepared, err := prepareTasks(tasks)
	if err != nil {
		return 0, fmt.Errorf("import tasks: %w", err)
	}
	refused, err := json.Marshal(u.Errors)
	if err != nil {
		return 0, fmt.Errorf("import tasks: %w", err)
	}
	inserted := 0
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		inserted = 0
		t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), u.WorkspaceID, u.SquidID)
		if err != nil {
			return err
		}
		had, err := scanUpload(tx.QueryRowContext(ctx, uploadQuery+` AND w.id = $2`, string(u.ID), string(u.WorkspaceID)))
		if err != nil {
			return err
		}
		ended := had.State == shoal.UploadSuccess || had.State == shoal.UploadFailure
		if ended || u.Line < had.Line || len(tasks) > 0 && u.Line == had.Line {
			return nil
		}
		added, err := s.addTasks(ctx, tx, &t, u.SquidID, prepared)
		if err != nil {
			return err
		}
		inserted = len(added)
		const q = `UPDATE task_uploads SET state = $1, line = $2, valid = $3, invalid = $4, errors = $5,
			inserted = inserted + $6, duplicates = duplicates + $7 WHERE id = $8`
		_, err = tx.ExecContext(ctx, q, string(u.State), u.Line, u.Valid, u.Invalid, string(refused),
			inserted, len(tasks)-inserted, string(u.ID))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("import tasks: %w", err)
	}
	return inserted, nil
}
