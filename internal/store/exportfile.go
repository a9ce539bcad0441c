package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

const exportColumns = `e.format, e.variant, e.form, e.state, e.blob, e.size, e.etag, e.row_count, e.total, e.error,
	e.created_at, e.updated_at, e.used_at`

func scanExport(run shoal.RunID) func(scanner) (shoal.Export, error) {
	return func(r scanner) (shoal.Export, error) {
		e := shoal.Export{RunID: run}
		var form []byte
		t := times{}
		err := r.Scan(&e.Format, &e.Variant, &form, &e.State, &e.Blob, &e.Size, &e.ETag, &e.Rows, &e.Total, &e.Error,
			t.into(&e.CreatedAt), t.into(&e.UpdatedAt), t.into(&e.UsedAt))
		if err != nil {
			return e, err
		}
		e.Form.Format = e.Format
		if len(form) > 0 {
			err = json.Unmarshal(form, &e.Form)
		}
		return e, err
	}
}

// formText is what is stored of a form: nothing if its format says it all.
func formText(f *shoal.ExportForm) (string, error) {
	if f.Plain() {
		return "", nil
	}
	b, err := json.Marshal(f)
	return string(b), err
}

// exportRun is the number of a run that stands and has its results, locked
// against being deleted; ErrRunNotFound and ErrResultsRemoved.
func (s *Store) exportRun(ctx context.Context, tx *sql.Tx, run shoal.RunID) (pk int64, err error) {
	var removed int64
	const q = `SELECT pk, results_removed_at FROM runs WHERE id = $1 AND deleted_at = 0`
	err = tx.QueryRowContext(ctx, q+s.db.dialect.forUpdate(), string(run)).Scan(&pk, &removed)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, shoal.ErrRunNotFound
	}
	if err == nil && removed > 0 {
		err = shoal.ErrResultsRemoved
	}
	return pk, err
}

// SaveExport records a file that is complete; one of the same run, format and
// variant is replaced.
func (s *Store) SaveExport(ctx context.Context, e shoal.Export) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		pk, err := s.exportRun(ctx, tx, e.RunID)
		if err != nil {
			return err
		}
		form, err := formText(&e.Form)
		if err != nil {
			return err
		}
		const q = `INSERT INTO exports (run_pk, format, variant, form, state, blob, size, etag, row_count, total, created_at, updated_at, used_at)
			VALUES ($1, $2, $3, $4, 'done', $5, $6, $7, $8, $8, $9, $9, $9)
			ON CONFLICT (run_pk, format, variant) DO UPDATE SET state = excluded.state, blob = excluded.blob, size = excluded.size,
				etag = excluded.etag, row_count = excluded.row_count, total = excluded.total, error = '',
				updated_at = excluded.updated_at, used_at = excluded.used_at`
		_, err = tx.ExecContext(ctx, q, pk, string(e.Format), e.Variant, form, e.Blob, e.Size, e.ETag, e.Rows, micros(e.CreatedAt))
		return err
	})
	if err != nil {
		return fmt.Errorf("save export of run %s: %w", e.RunID, err)
	}
	return nil
}

// ExportOf returns a complete file; ErrRunNotFound when there is none.
func (s *Store) ExportOf(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) (shoal.Export, error) {
	e, err := s.ExportRow(ctx, run, format, variant)
	if err == nil && e.State != shoal.ExportDone {
		return e, shoal.ErrRunNotFound
	}
	return e, err
}

// ExportRow returns a file in whatever state it is; ErrRunNotFound when it was
// never wanted.
func (s *Store) ExportRow(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) (shoal.Export, error) {
	const q = `SELECT ` + exportColumns + ` FROM exports e JOIN runs r ON r.pk = e.run_pk
		WHERE r.id = $1 AND r.deleted_at = 0 AND e.format = $2 AND e.variant = $3`
	e, err := scanExport(run)(s.read.QueryRowContext(ctx, q, string(run), string(format), variant))
	if errors.Is(err, sql.ErrNoRows) {
		return e, shoal.ErrRunNotFound
	}
	if err != nil {
		return e, fmt.Errorf("read export of run %s: %w", run, err)
	}
	return e, nil
}

// Exports returns the files of a run, oldest first; there are at most maxForms.
func (s *Store) Exports(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID) ([]shoal.Export, error) {
	if _, err := s.Run(ctx, ws, run); err != nil {
		return nil, err
	}
	const q = `SELECT ` + exportColumns + ` FROM exports e JOIN runs r ON r.pk = e.run_pk
		WHERE r.id = $1 AND r.deleted_at = 0 ORDER BY e.created_at, e.format, e.variant`
	all, err := collect(ctx, s.read, scanExport(run), q, string(run))
	if err != nil {
		return nil, fmt.Errorf("list the exports of run %s: %w", run, err)
	}
	return all, nil
}

const (
	// maxForms is how many files one run may have: each is as large as its results.
	maxForms = 40
	// convertLost is how long a file that waits or is written may show no
	// progress until its job is thought lost.
	convertLost = 10 * time.Minute
)

// WantExport has a file made in the background unless it is there or on its way,
// and returns it as it now is. missing says that a complete one was found to be
// gone, and is to be made again. total is how many rows it will have, 0 when
// that is not known.
func (s *Store) WantExport(ctx context.Context, run shoal.RunID, form shoal.ExportForm, total int64, missing bool) (e shoal.Export, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		pk, err := s.exportRun(ctx, tx, run)
		if err != nil {
			return err
		}
		const find = `SELECT ` + exportColumns + ` FROM exports e WHERE e.run_pk = $1 AND e.format = $2 AND e.variant = $3`
		e, err = scanExport(run)(tx.QueryRowContext(ctx, find, pk, string(form.Format), form.Variant()))
		now := s.now()
		switch {
		case errors.Is(err, sql.ErrNoRows):
			e = shoal.Export{RunID: run, Format: form.Format, Variant: form.Variant(), Form: form, CreatedAt: now}
			e.Blob = e.BlobName()
			err = s.addExport(ctx, tx, pk, &e)
		case err == nil && wanted(&e, now, missing):
		case err == nil:
			return s.remember(ctx, tx, e)
		}
		if err != nil {
			return err
		}
		e.State, e.Error, e.Rows, e.Total, e.UpdatedAt, e.UsedAt = shoal.ExportPending, "", 0, total, now, now
		const again = `UPDATE exports SET state = 'pending', error = '', row_count = 0, total = $4, updated_at = $5, used_at = $5
			WHERE run_pk = $1 AND format = $2 AND variant = $3`
		if _, err := tx.ExecContext(ctx, again, pk, string(e.Format), e.Variant, total, micros(now)); err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, jobs.New(jobs.KindConvert, jobs.ConvertArgs{Run: string(run), Format: string(e.Format), Variant: e.Variant})); err != nil {
			return err
		}
		return s.remember(ctx, tx, e)
	})
	if err != nil {
		return e, fmt.Errorf("ask for an export of run %s: %w", run, err)
	}
	return e, nil
}

// wanted reports whether a file has to be made (again).
func wanted(e *shoal.Export, now time.Time, missing bool) bool {
	switch e.State {
	case shoal.ExportDone:
		return missing
	case shoal.ExportError:
		return true
	}
	return now.Sub(e.UpdatedAt) > convertLost
}

// addExport adds a row for a file that was never wanted before.
func (s *Store) addExport(ctx context.Context, tx *sql.Tx, pk int64, e *shoal.Export) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM exports WHERE run_pk = $1`, pk).Scan(&n); err != nil {
		return err
	}
	if n >= maxForms {
		return shoal.Business("UsageLimitExceeded", "This run has %d files already: delete one that is not needed any more, "+
			"with DELETE /v1/runs/{run}/exports/{export}; the download link needs no file", n)
	}
	form, err := formText(&e.Form)
	if err != nil {
		return err
	}
	const q = `INSERT INTO exports (run_pk, format, variant, form, state, blob, size, etag, row_count, created_at)
		VALUES ($1, $2, $3, $4, 'pending', $5, 0, '', 0, $6)`
	_, err = tx.ExecContext(ctx, q, pk, string(e.Format), e.Variant, form, e.Blob, micros(e.CreatedAt))
	return err
}

// NoteExport records how far a file is, or with state error why it was not
// made. One that was completed meanwhile, or that nobody wants any more, stays
// as it is.
func (s *Store) NoteExport(ctx context.Context, e *shoal.Export) error {
	const q = `UPDATE exports SET state = $4, row_count = $5, total = $6, error = $7, updated_at = $8
		WHERE run_pk = (SELECT pk FROM runs WHERE id = $1) AND format = $2 AND variant = $3 AND state <> 'done'`
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, q, string(e.RunID), string(e.Format), e.Variant, string(e.State), e.Rows, e.Total, e.Error, micros(s.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("note an export of run %s: %w", e.RunID, err)
	}
	return nil
}

// useResolution is how exactly it is known when a file was last used.
const useResolution = time.Hour

// UseExport notes that a file was read just now.
func (s *Store) UseExport(ctx context.Context, e *shoal.Export) error {
	now := s.now()
	if now.Sub(e.UsedAt) < useResolution {
		return nil
	}
	const q = `UPDATE exports SET used_at = $4 WHERE run_pk = (SELECT pk FROM runs WHERE id = $1) AND format = $2 AND variant = $3`
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, q, string(e.RunID), string(e.Format), e.Variant, micros(now))
		return err
	})
	if err != nil {
		return fmt.Errorf("note the use of an export of run %s: %w", e.RunID, err)
	}
	return nil
}

// ForgetExport removes the row of a file: the file itself is gone by then.
func (s *Store) ForgetExport(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) error {
	const q = `DELETE FROM exports WHERE run_pk = (SELECT pk FROM runs WHERE id = $1) AND format = $2 AND variant = $3`
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, q, string(run), string(format), variant)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget an export of run %s: %w", run, err)
	}
	return nil
}
