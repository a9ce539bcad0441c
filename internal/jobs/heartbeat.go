package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// join registers this process as alive, after it has requeued what a former
// life of it left running and, when Exclusive, what anybody left.
func (c *Client) join(ctx context.Context) error {
	var requeued int64
	err := c.inTx(ctx, func(tx *sql.Tx) error {
		gone, args := "DELETE FROM job_clients WHERE id = $1", []any{c.Owner}
		if c.Exclusive {
			gone, args = "DELETE FROM job_clients", nil
		}
		if _, err := tx.ExecContext(ctx, gone, args...); err != nil {
			return err
		}
		if c.Exclusive {
			// A dead leader's term would hold up retries for 15 s.
			if _, err := tx.ExecContext(ctx, "DELETE FROM river_leader"); err != nil {
				return err
			}
		}
		var err error
		if requeued, err = c.requeueOrphans(ctx, tx); err != nil {
			return err
		}
		return c.register(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("join the job clients: %w", err)
	}
	c.beaten(requeued)
	return nil
}

// beat says that this process lives, and takes over from those that do not.
// When its peers had given this process up, lost is called, and no jobs are
// claimed until the next heartbeat: by then the handlers have returned, and
// River, which knows jobs by id alone, cannot mistake an attempt for another.
func (c *Client) beat(ctx context.Context, lost func()) error {
	var requeued int64
	var buried bool
	err := c.inTx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "UPDATE job_clients SET heartbeat_at = "+c.Dialect.now()+" WHERE id = $1", c.Owner)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		if buried = n == 0; buried {
			if err := c.register(ctx, tx); err != nil {
				return err
			}
		}
		if c.Exclusive {
			return nil
		}
		requeued, err = c.takeOver(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("write the heartbeat: %w", err)
	}
	if buried {
		lost()
		return nil
	}
	c.beaten(requeued)
	return nil
}

// leave removes this process from the living and requeues what it still held.
func (c *Client) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endGrace)
	defer cancel()
	err := c.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM job_clients WHERE id = $1", c.Owner); err != nil {
			return err
		}
		_, err := c.requeueOrphans(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("leave the job clients: %w", err)
	}
	return nil
}

func (c *Client) register(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO job_clients (id, heartbeat_at) VALUES ($1, "+c.Dialect.now()+")", c.Owner)
	return err
}

// takeOver buries the silent clients and requeues their jobs. The database's
// clock decides, since those of the machines differ.
func (c *Client) takeOver(ctx context.Context, tx *sql.Tx) (requeued int64, err error) {
	silence := (missedHeartbeats * c.Heartbeat).Microseconds()
	if _, err := tx.ExecContext(ctx, "DELETE FROM job_clients WHERE heartbeat_at < "+c.Dialect.now()+" - $1", silence); err != nil {
		return 0, err
	}
	return c.requeueOrphans(ctx, tx)
}

// requeueOrphans makes available the running jobs that no living client holds.
// They keep their place in the queue.
func (c *Client) requeueOrphans(ctx context.Context, tx *sql.Tx) (int64, error) {
	res, err := tx.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE id IN (
		SELECT id FROM river_job
		WHERE state = 'running' AND coalesce(`+c.Dialect.claimant()+`, '') NOT IN (SELECT id FROM job_clients)
		ORDER BY id`+c.Dialect.lockRows()+`)`)
	if err != nil {
		return 0, fmt.Errorf("requeue orphaned jobs: %w", err)
	}
	return res.RowsAffected()
}

// alive reports whether the last heartbeat that found this process among the
// living is recent enough for no peer to have given it up since. It goes by wall time, which a suspended machine's
// monotonic clock does not count.
func (c *Client) alive() bool { return c.silence() <= missedHeartbeats*c.Heartbeat }

// silence is the time since the last heartbeat was written.
func (c *Client) silence() time.Duration { return time.Since(time.Unix(0, c.lastBeat.Load())) }

// beaten notes a heartbeat that was committed with that many jobs requeued.
func (c *Client) beaten(requeued int64) {
	c.lastBeat.Store(time.Now().UnixNano())
	if requeued > 0 {
		c.Logger.Warn("took over jobs of a client that is gone", "jobs", requeued)
		c.Kick()
	}
}

// inTx runs f in a transaction of the write pool.
func (c *Client) inTx(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := c.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
