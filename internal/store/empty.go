package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"shoal"
	"shoal/internal/jobs"
)

// emptyBatch is how many results of a squid of mixed tasks one transaction looks at.
const emptyBatch = 2000

// EmptySquid removes the squid's tasks of the type ("url", "params" or "" for
// both) and their results, and returns how many tasks. A squid with an active
// run is refused: its run is collecting what would be removed.
//
// Where nothing else remains, marks on the squid's row hide everything at once,
// however much it is, and the purge removes it. A squid that keeps tasks of
// the other type has its results sorted out in small transactions first; if
// that is cut short nothing but those results is gone, and a repeat completes it.
func (s *Store) EmptySquid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, taskType string) (removed int64, err error) {
	if taskType != "" && taskType != urlType && taskType != paramsType {
		return 0, shoal.Invalid("ParamsInvalid", "type", "type is %q: want url or params", taskType)
	}
	after, next := int64(0), int64(0)
	for done := false; !done; after = next {
		err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			removed, done = 0, false
			t, err := s.tally(ctx, tx, s.db.dialect.forUpdate(), ws, id)
			if err != nil {
				return err
			}
			if err := refuseActive(ctx, tx, t.pk); err != nil {
				return err
			}
			if _, removed = t.taskList(taskType); removed > 0 && removed < t.tasks {
				next, err = s.emptyResults(ctx, tx, &t, taskType, after)
				if err != nil || next < t.nextSeq {
					return err
				}
			}
			done = true
			return s.emptySquid(ctx, tx, &t, taskType, removed)
		})
		if err != nil {
			return 0, fmt.Errorf("empty squid: %w", err)
		}
	}
	return removed, nil
}

const activeRun = `SELECT EXISTS (SELECT 1 FROM runs WHERE squid_pk = $1 AND ` + unfinished + `)`

func refuseActive(ctx context.Context, tx *sql.Tx, squidPK int64) error {
	var active bool
	if err := tx.QueryRowContext(ctx, activeRun, squidPK).Scan(&active); err != nil {
		return fmt.Errorf("look for an active run: %w", err)
	}
	if active {
		return shoal.Business("RunInProgress", "The squid has an active run: abort it and wait until it has ended, then empty the squid")
	}
	return nil
}

// emptySquid hides the tasks of a type, and all results unless tasks of the
// other type remain.
func (s *Store) emptySquid(ctx context.Context, tx *sql.Tx, t *tally, taskType string, removed int64) error {
	if removed > 0 {
		if err := hideTasks(ctx, tx, t, taskType, removed); err != nil {
			return err
		}
		works := []jobs.Job{jobs.New(jobs.KindPurge, jobs.PurgeArgs{Noun: purgeTasks, PK: t.pk})}
		if removed == t.tasks {
			works = append(works, jobs.New(jobs.KindPurge, jobs.PurgeArgs{Noun: purgeResults, PK: t.pk}))
		}
		if err := s.enqueue(ctx, tx, works...); err != nil {
			return err
		}
	}
	return s.remember(ctx, tx, removed)
}

func hideTasks(ctx context.Context, tx *sql.Tx, t *tally, taskType string, removed int64) error {
	var set, gone []string
	switch {
	case removed == t.tasks:
		set = []string{"url_floor = next_task_seq", "params_floor = next_task_seq", "result_floor = next_seq", "url_task_count = 0"}
		gone = []string{taskList, urlTaskList, paramsTaskList, resultList}
	case taskType == urlType:
		set = []string{"url_floor = next_task_seq", "url_task_count = 0"}
		gone = []string{taskList, urlTaskList}
	default:
		set = []string{"params_floor = next_task_seq"}
		gone = []string{taskList, paramsTaskList}
	}
	q := `UPDATE squids SET task_count = task_count - $1, ` + strings.Join(set, ", ") + ` WHERE pk = $2`
	if _, err := tx.ExecContext(ctx, q, removed, t.pk); err != nil {
		return fmt.Errorf("hide tasks: %w", err)
	}
	for _, list := range gone {
		if _, err := tx.ExecContext(ctx, `DELETE FROM gaps WHERE list = $1 AND squid_pk = $2`, list, t.pk); err != nil {
			return fmt.Errorf("forget gaps: %w", err)
		}
	}
	if removed == t.tasks {
		return nil
	}
	// The list of all tasks is now that of the other type, gaps included.
	remains := urlTaskList
	if taskType == urlType {
		remains = paramsTaskList
	}
	const same = `INSERT INTO gaps (list, squid_pk, level, block, n)
		SELECT 'tasks', squid_pk, level, block, n FROM gaps WHERE list = $1 AND squid_pk = $2`
	if _, err := tx.ExecContext(ctx, same, remains, t.pk); err != nil {
		return fmt.Errorf("copy gaps: %w", err)
	}
	return nil
}

// emptyResults removes, from the next emptyBatch results behind the sequence
// number after, those that tasks of a type found, and returns how far it came.
func (s *Store) emptyResults(ctx context.Context, tx *sql.Tx, t *tally, taskType string, after int64) (int64, error) {
	after = max(after, t.resultFloor)
	upto := min(after+emptyBatch, t.nextSeq)
	q := `DELETE FROM results WHERE key IN (
			SELECT p.key FROM results p JOIN runs r ON r.pk = p.run_pk
			JOIN run_tasks rt ON rt.run_pk = p.run_pk AND rt.seq = p.task_seq
			JOIN tasks k ON k.key = rt.task_key
			WHERE p.key > $1 AND p.key <= $2 AND r.deleted_at = 0 AND k.has_url = $3
				AND k.key > CASE WHEN k.has_url THEN CAST($4 AS BIGINT) ELSE CAST($5 AS BIGINT) END
		) RETURNING key`
	keys, err := collect(ctx, tx, scanInt, q, keyOf(t.pk, after), keyOf(t.pk, upto), taskType == urlType,
		keyOf(t.pk, t.urlFloor), keyOf(t.pk, t.paramsFloor))
	if err != nil {
		return 0, fmt.Errorf("remove results: %w", err)
	}
	for i := range keys {
		keys[i] = seqOf(keys[i])
	}
	return upto, s.lose(ctx, tx, t.pk, resultList, keys)
}
