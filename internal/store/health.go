package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"shoal"
)

const healthBefore = `SELECT h.tasks, h.results, h.row_count, h.fields, h.settings, h.warning FROM run_health h
	WHERE h.squid_pk = $1 AND h.run_pk < $2 ORDER BY h.run_pk DESC LIMIT $3`

// HealthBefore returns how complete the results of the squid's runs before run
// were, newest first.
func (s *Store) HealthBefore(ctx context.Context, run shoal.RunID, limit int) ([]shoal.Health, error) {
	r, err := s.runByID(ctx, run)
	if err != nil {
		return nil, err
	}
	list, err := collect(ctx, s.read, func(row scanner) (h shoal.Health, err error) {
		var fields []byte
		if err = row.Scan(&h.Tasks, &h.Results, &h.Rows, &fields, &h.Settings, &h.Warning); err == nil {
			err = json.Unmarshal(fields, &h.Fields)
		}
		return h, err
	}, healthBefore, r.SquidPK, r.PK, limit)
	if err != nil {
		return nil, fmt.Errorf("read the health of former runs: %w", err)
	}
	return list, nil
}

// SaveHealth records how complete a run's results were. A warning becomes the
// squid's message and a note in the run's history, once; a run without one takes
// the message of a former warning away.
func (s *Store) SaveHealth(ctx context.Context, h shoal.Health) error {
	fields, err := json.Marshal(h.Fields)
	if err != nil {
		return fmt.Errorf("save the health of run %s: %w", h.Run, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		was, err := s.runByID(ctx, h.Run)
		if err != nil {
			return err
		}
		const message = `UPDATE squids SET message = $2 WHERE pk = $1 AND ($2 <> '' OR message IN (
			SELECT warning FROM run_health WHERE squid_pk = $1 AND warning <> '' ORDER BY run_pk DESC LIMIT 1))`
		if _, err := tx.ExecContext(ctx, message, was.SquidPK, h.Warning); err != nil {
			return fmt.Errorf("set the squid's message: %w", err)
		}
		const save = `INSERT INTO run_health (squid_pk, run_pk, tasks, results, row_count, fields, settings, warning)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (run_pk) DO NOTHING`
		res, err := tx.ExecContext(ctx, save, was.SquidPK, was.PK, h.Tasks, h.Results, h.Rows, string(fields), h.Settings, h.Warning)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 || h.Warning == "" {
			return err
		}
		return s.addNote(ctx, tx, h.Run, "warning", h.Warning)
	})
	if err != nil {
		return fmt.Errorf("save the health of run %s: %w", h.Run, err)
	}
	return nil
}
