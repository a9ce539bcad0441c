package jobs

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// channel is where PostgreSQL tells the workers of other processes that jobs
// were committed. The payload is the owner of the process that inserted them.
const channel = "shoal_jobs"

// relisten is the wait before a lost connection is listened on again; until
// then, polling finds the jobs.
const relisten = 2 * time.Second

// notify makes the commit of tx wake the workers of other processes.
func (c *Client) notify(ctx context.Context, tx *sql.Tx) error {
	if c.Dialect != Postgres {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "SELECT pg_notify($1, $2)", channel, c.Owner); err != nil {
		return fmt.Errorf("notify workers: %w", err)
	}
	return nil
}

// listen kicks this process's workers whenever another process has committed
// jobs. It keeps one connection of the pool for itself, until ctx ends.
func (c *Client) listen(ctx context.Context) {
	for ctx.Err() == nil {
		if err := c.listenOnce(ctx); err != nil && ctx.Err() == nil {
			c.Logger.Warn("listening for jobs of other processes failed; polling goes on", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(relisten):
		}
	}
}

// listenOnce listens on one connection until that fails or ctx ends, both of
// which leave it unusable: the pool is told to drop it.
func (c *Client) listenOnce(ctx context.Context) error {
	conn, err := c.DB.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var failed error
	err = conn.Raw(func(raw any) error {
		pg, ok := raw.(*stdlib.Conn)
		if !ok {
			failed = fmt.Errorf("a %T is no connection of pgx", raw)
			return nil
		}
		_, failed = pg.Conn().Exec(ctx, "LISTEN "+channel)
		for failed == nil {
			n, err := pg.Conn().WaitForNotification(ctx)
			if failed = err; err == nil && n.Payload != c.Owner {
				c.Kick()
			}
		}
		return driver.ErrBadConn
	})
	if errors.Is(err, driver.ErrBadConn) {
		err = nil
	}
	return errors.Join(failed, err)
}
