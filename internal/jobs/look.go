package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Pile is how many jobs of a kind are in a state of River's, and since when the
// oldest is due.
type Pile struct {
	Kind   Kind
	State  string
	Count  int64
	Oldest time.Time
}

// Look returns the piles of jobs, and how many processes have shown within the
// time that their peers allow them that they work on them. It changes nothing.
func Look(ctx context.Context, db *sql.DB, d Dialect) (piles []Pile, alive int, err error) {
	due := "CAST(unixepoch(MIN(scheduled_at)) AS INTEGER)"
	if d == Postgres {
		due = "CAST(extract(epoch FROM MIN(scheduled_at)) AS BIGINT)"
	}
	rows, err := db.QueryContext(ctx, `SELECT kind, state, COUNT(*), `+due+` FROM river_job GROUP BY kind, state ORDER BY kind, state`)
	if err != nil {
		return nil, 0, fmt.Errorf("look at the jobs: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p Pile
		var seconds int64
		if err := rows.Scan(&p.Kind, &p.State, &p.Count, &seconds); err != nil {
			return nil, 0, fmt.Errorf("look at the jobs: %w", err)
		}
		p.Oldest = time.Unix(seconds, 0).UTC()
		piles = append(piles, p)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("look at the jobs: %w", err)
	}
	silence := (missedHeartbeats * defaultHeartbeat).Microseconds()
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM job_clients WHERE heartbeat_at >= "+d.now()+" - $1", silence).Scan(&alive)
	if err != nil {
		return nil, 0, fmt.Errorf("look for those who work: %w", err)
	}
	return piles, alive, nil
}
