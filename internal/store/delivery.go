package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"shoal"
)

// SetDelivery changes where a squid's results go: set is given what is stored,
// changes it and returns the channels that it has set, which work again if they
// were paused. It may be called more than once. The channels are stored as they
// are given: sealed by the caller.
func (s *Store) SetDelivery(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, set func(*shoal.DeliveryConfig) ([]shoal.Channel, error)) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		pk, d, err := s.lockDelivery(ctx, tx, ws, id)
		if err != nil {
			return err
		}
		channels, err := set(&d)
		if err != nil {
			return err
		}
		b, err := json.Marshal(d)
		if err != nil {
			return fmt.Errorf("write the squid's deliveries: %w", err)
		}
		const q = `UPDATE squids SET delivery = $2, updated_at = $3 WHERE pk = $1`
		if _, err := tx.ExecContext(ctx, q, pk, b, micros(s.now())); err != nil {
			return err
		}
		for _, c := range channels {
			if err := s.resumeTarget(ctx, tx, pk, c); err != nil {
				return err
			}
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("set delivery: %w", err)
	}
	return nil
}

// lockDelivery returns the number of a living squid, locked, and its deliveries.
func (s *Store) lockDelivery(ctx context.Context, tx *sql.Tx, ws shoal.WorkspaceID, id shoal.SquidID) (pk int64, d shoal.DeliveryConfig, err error) {
	q := `SELECT pk, delivery FROM squids
		WHERE id = $1 AND deleted_at = 0 AND workspace_pk = (SELECT pk FROM workspaces WHERE id = $2)` + s.db.dialect.forUpdate()
	var raw []byte
	err = tx.QueryRowContext(ctx, q, string(id), string(ws)).Scan(&pk, &raw)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, d, shoal.ErrSquidNotFound
	}
	if err == nil && raw != nil {
		err = json.Unmarshal(raw, &d)
	}
	if err != nil {
		return 0, d, fmt.Errorf("read the squid's deliveries: %w", err)
	}
	return pk, d, nil
}

// PauseTarget stops a target: what is for it waits until it is resumed.
func (s *Store) PauseTarget(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, c shoal.Channel) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		pk, err := squidPK(ctx, tx, ws, id)
		if err != nil {
			return err
		}
		t, err := s.lockTarget(ctx, tx, pk, c)
		if err != nil {
			return err
		}
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		if t.pause == 0 {
			if err := s.pauseTarget(ctx, tx, t, now, "Paused by a person"); err != nil {
				return err
			}
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("pause the target: %w", err)
	}
	return nil
}

// pauseTarget stops a target that works.
func (s *Store) pauseTarget(ctx context.Context, tx *sql.Tx, t *target, now int64, why string) error {
	const q = `UPDATE delivery_targets SET paused_at = $3, paused_why = $4 WHERE squid_pk = $1 AND channel = $2`
	if _, err := tx.ExecContext(ctx, q, t.squidPK, string(t.channel), now, plain(why)); err != nil {
		return fmt.Errorf("pause the target: %w", err)
	}
	t.pause = now
	return nil
}

// ResumeTarget lets a paused target work again; what waited for it is sent now.
func (s *Store) ResumeTarget(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, c shoal.Channel) error {
	err := s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		pk, err := squidPK(ctx, tx, ws, id)
		if err != nil {
			return err
		}
		if err := s.resumeTarget(ctx, tx, pk, c); err != nil {
			return err
		}
		return s.remember(ctx, tx, nil)
	})
	if err != nil {
		return fmt.Errorf("resume the target: %w", err)
	}
	return nil
}

// squidPK returns the number of a living squid of the workspace.
func squidPK(ctx context.Context, q querier, ws shoal.WorkspaceID, id shoal.SquidID) (pk int64, err error) {
	const text = `SELECT s.pk FROM squids s JOIN workspaces w ON w.pk = s.workspace_pk
		WHERE s.id = $1 AND w.id = $2 AND s.deleted_at = 0`
	err = q.QueryRowContext(ctx, text, string(id), string(ws)).Scan(&pk)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, shoal.ErrSquidNotFound
	}
	return pk, err
}

// resumeTarget lets a target of the squid work again if it is paused.
func (s *Store) resumeTarget(ctx context.Context, tx *sql.Tx, squidPK int64, c shoal.Channel) error {
	const q = `UPDATE delivery_targets SET paused_at = 0, paused_why = '', failures = 0
		WHERE squid_pk = $1 AND channel = $2 AND paused_at > 0`
	res, err := tx.ExecContext(ctx, q, squidPK, string(c))
	if err != nil {
		return fmt.Errorf("resume the target: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	now, err := s.clock(ctx, tx)
	if err != nil {
		return err
	}
	const due = `UPDATE deliveries SET next_at = $3 WHERE squid_pk = $1 AND channel = $2 AND status = 'pending' AND next_at > $3`
	if _, err := tx.ExecContext(ctx, due, squidPK, string(c), now); err != nil {
		return fmt.Errorf("resume the target: %w", err)
	}
	return s.enqueue(ctx, tx, deliverJob(squidPK, c, 0))
}

// target is a row of delivery_targets, locked for change.
type target struct {
	squidPK                                       int64
	channel                                       shoal.Channel
	token, claimedUntil, visitAt, failures, pause int64
}

// lockTarget returns a target, made if it is new.
func (s *Store) lockTarget(ctx context.Context, tx *sql.Tx, squidPK int64, c shoal.Channel) (*target, error) {
	const make = `INSERT INTO delivery_targets (squid_pk, channel) VALUES ($1, $2) ON CONFLICT (squid_pk, channel) DO NOTHING`
	if _, err := tx.ExecContext(ctx, make, squidPK, string(c)); err != nil {
		return nil, fmt.Errorf("make the target: %w", err)
	}
	t := &target{squidPK: squidPK, channel: c}
	q := `SELECT token, claimed_until, visit_at, failures, paused_at FROM delivery_targets
		WHERE squid_pk = $1 AND channel = $2` + s.db.dialect.forUpdate()
	err := tx.QueryRowContext(ctx, q, squidPK, string(c)).Scan(&t.token, &t.claimedUntil, &t.visitAt, &t.failures, &t.pause)
	if err != nil {
		return nil, fmt.Errorf("lock the target: %w", err)
	}
	return t, nil
}

// visitMargin is how near a visit may be that one already announced is trusted
// to be: nearer, the clocks of two machines could have it come too early.
const visitMargin = 30 * time.Second

// visit has a job come to the target at a later time, unless one will.
func (s *Store) visit(ctx context.Context, tx *sql.Tx, t *target, at, now int64) error {
	if t.visitAt >= at && at-now > visitMargin.Microseconds() {
		return nil
	}
	const q = `UPDATE delivery_targets SET visit_at = $3 WHERE squid_pk = $1 AND channel = $2`
	if _, err := tx.ExecContext(ctx, q, t.squidPK, string(t.channel), at); err != nil {
		return fmt.Errorf("announce a visit: %w", err)
	}
	return s.enqueue(ctx, tx, deliverJob(t.squidPK, t.channel, at))
}

// ClaimDelivery gives the target's oldest delivery to the caller, for as long
// as lasts, if it is due and nobody else has it; nil otherwise. Whoever has it
// renews or records it.
func (s *Store) ClaimDelivery(ctx context.Context, squidPK int64, c shoal.Channel, lasts time.Duration) (work *shoal.DeliveryWork, err error) {
	err = s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		work = nil
		t, err := s.lockTarget(ctx, tx, squidPK, c)
		if err != nil || t.pause > 0 {
			return err
		}
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		if t.claimedUntil > now {
			return s.visit(ctx, tx, t, t.claimedUntil, now)
		}
		head, err := s.headDelivery(ctx, tx, t)
		if err != nil || head == nil {
			return err
		}
		if next := micros(head.NextAt); next > now {
			return s.visit(ctx, tx, t, next, now)
		}
		const q = `UPDATE delivery_targets SET token = token + 1, claimed_until = $3 WHERE squid_pk = $1 AND channel = $2`
		if _, err := tx.ExecContext(ctx, q, squidPK, string(c), now+lasts.Microseconds()); err != nil {
			return err
		}
		head.Token, work = t.token+1, head
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim a delivery: %w", err)
	}
	return work, nil
}

// headDelivery returns the oldest pending delivery of the target, nil when
// there is none. Those whose run or squid is gone are cancelled on the way.
func (s *Store) headDelivery(ctx context.Context, tx *sql.Tx, t *target) (*shoal.DeliveryWork, error) {
	const gone = `UPDATE deliveries SET status = 'cancelled', next_at = 0, detail = 'The run was deleted before this was sent'
		WHERE squid_pk = $1 AND channel = $2 AND status = 'pending'
		AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.pk = deliveries.run_pk AND r.deleted_at = 0)`
	if _, err := tx.ExecContext(ctx, gone, t.squidPK, string(t.channel)); err != nil {
		return nil, fmt.Errorf("cancel deliveries of deleted runs: %w", err)
	}
	const q = `SELECT ` + deliveryColumns + `, s.run_notify, s.delivery,
			COALESCE((SELECT u.email FROM users u WHERE u.workspace_pk = d.workspace_pk AND u.is_active ORDER BY u.pk LIMIT 1), '')
		FROM ` + deliveryTables + ` WHERE d.squid_pk = $1 AND d.channel = $2 AND d.status = 'pending' ORDER BY d.pk LIMIT 1`
	work := &shoal.DeliveryWork{}
	var config []byte
	err := scanDeliveryRow(tx.QueryRowContext(ctx, q, t.squidPK, string(t.channel)), &work.Delivery, &work.Notify, &config, &work.Owner)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil && config != nil {
		err = json.Unmarshal(config, &work.Config)
	}
	if err != nil {
		return nil, fmt.Errorf("read delivery: %w", err)
	}
	return work, nil
}

// RenewDelivery keeps a claimed delivery for longer; ErrFenced when it was lost.
func (s *Store) RenewDelivery(ctx context.Context, w *shoal.DeliveryWork, lasts time.Duration) error {
	return s.moveClaim(ctx, w, lasts)
}

// ReleaseDelivery gives a claimed delivery back, as if it had not been tried.
func (s *Store) ReleaseDelivery(ctx context.Context, w *shoal.DeliveryWork) error {
	return s.moveClaim(ctx, w, 0)
}

func (s *Store) moveClaim(ctx context.Context, w *shoal.DeliveryWork, lasts time.Duration) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		const q = `UPDATE delivery_targets SET claimed_until = $4 WHERE squid_pk = $1 AND channel = $2 AND token = $3`
		res, err := tx.ExecContext(ctx, q, w.SquidPK, string(w.Channel), w.Token, now+lasts.Microseconds())
		return oneRow(res, err, shoal.ErrFenced)
	})
	if err != nil {
		return fmt.Errorf("keep delivery %s: %w", w.ID, err)
	}
	return nil
}

// ReleaseDeliveries takes every claim back. For a process that alone uses the
// database, at its start: whoever held one is dead.
func (s *Store) ReleaseDeliveries(ctx context.Context) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE delivery_targets SET claimed_until = 0, token = token + 1 WHERE claimed_until > 0`)
		return err
	})
	if err != nil {
		return fmt.Errorf("release deliveries: %w", err)
	}
	return nil
}

// QueueDeliveries enqueues jobs for targets whose deliveries are overdue: a
// net under the jobs that were enqueued with them.
func (s *Store) QueueDeliveries(ctx context.Context, overdue time.Duration) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		const q = `SELECT DISTINCT d.squid_pk, d.channel FROM deliveries d
			LEFT JOIN delivery_targets t ON t.squid_pk = d.squid_pk AND t.channel = d.channel
			WHERE d.status = 'pending' AND d.next_at < $1 AND COALESCE(t.paused_at, 0) = 0 AND COALESCE(t.claimed_until, 0) < $1
			LIMIT 1000`
		late, err := collect(ctx, tx, func(r scanner) (t target, err error) {
			return t, r.Scan(&t.squidPK, &t.channel)
		}, q, now-overdue.Microseconds())
		if err != nil {
			return err
		}
		for _, t := range late {
			if err := s.enqueue(ctx, tx, deliverJob(t.squidPK, t.channel, 0)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for overdue deliveries: %w", err)
	}
	return nil
}
