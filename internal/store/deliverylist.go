package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"shoal"
)

// deliveryColumns are what scanDeliveryRow reads first, from deliveryTables.
const deliveryColumns = `d.pk, d.id, w.id, d.squid_pk, s.id, COALESCE(r.id, ''), d.event, d.channel, d.status, d.payload, d.target,
	d.attempts, d.created_at, d.last_at, d.next_at, d.delivered_at, d.status_code, d.detail, COALESCE(t.paused_at, 0)`

const deliveryTables = `deliveries d JOIN workspaces w ON w.pk = d.workspace_pk JOIN squids s ON s.pk = d.squid_pk
	LEFT JOIN runs r ON r.pk = d.run_pk
	LEFT JOIN delivery_targets t ON t.squid_pk = d.squid_pk AND t.channel = d.channel`

// scanDeliveryRow reads deliveryColumns and what the query has besides.
func scanDeliveryRow(row scanner, d *shoal.Delivery, more ...any) error {
	var payload []byte
	var paused int64
	t := times{}
	dest := []any{&d.PK, &d.ID, &d.WorkspaceID, &d.SquidPK, &d.SquidID, &d.RunID, &d.Event, &d.Channel, &d.Status, &payload, &d.Target,
		&d.Attempts, t.into(&d.CreatedAt), t.into(&d.LastAt), t.into(&d.NextAt), t.into(&d.DeliveredAt), &d.StatusCode, &d.Detail, &paused}
	if err := row.Scan(append(dest, more...)...); err != nil {
		return err
	}
	d.Held = paused > 0 && d.Status == shoal.DeliveryPending
	return json.Unmarshal(payload, &d.Payload)
}

// Deliveries lists a workspace's deliveries, newest first. ErrRunNotFound and
// ErrSquidNotFound when the filter names what the workspace does not have.
func (s *Store) Deliveries(ctx context.Context, ws shoal.WorkspaceID, f shoal.DeliveryFilter, w shoal.Window) (l shoal.Listing[shoal.Delivery], err error) {
	where := ` WHERE d.workspace_pk = (SELECT pk FROM workspaces WHERE id = $1)`
	args := []any{string(ws)}
	and := func(column string, arg any) {
		args = append(args, arg)
		where += fmt.Sprintf(` AND d.%s = $%d`, column, len(args))
	}
	if f.Run != "" {
		var pk int64
		const q = `SELECT r.pk FROM runs r JOIN workspaces w ON w.pk = r.workspace_pk WHERE r.id = $1 AND w.id = $2 AND r.deleted_at = 0`
		if err := s.read.QueryRowContext(ctx, q, string(f.Run), string(ws)).Scan(&pk); err != nil {
			return l, notFound(err, shoal.ErrRunNotFound)
		}
		and("run_pk", pk)
	}
	if f.Squid != "" {
		pk, err := squidPK(ctx, s.read, ws, f.Squid)
		if err != nil {
			return l, err
		}
		and("squid_pk", pk)
	}
	if f.Status != "" {
		and("status", string(f.Status))
	}
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM deliveries d`+where, args...).Scan(&l.Total); err != nil {
		return l, fmt.Errorf("count deliveries: %w", err)
	}
	n := len(args)
	q := fmt.Sprintf(`SELECT %s FROM %s JOIN (SELECT d.pk FROM deliveries d%s ORDER BY d.pk DESC LIMIT $%d OFFSET $%d) p ON p.pk = d.pk ORDER BY d.pk DESC`,
		deliveryColumns, deliveryTables, where, n+1, n+2)
	l.Items, err = collect(ctx, s.read, scanOneDelivery, q, append(args, w.Limit, skip(w, l.Total))...)
	if err != nil {
		return l, fmt.Errorf("list deliveries: %w", err)
	}
	return l, nil
}

func scanOneDelivery(r scanner) (d shoal.Delivery, err error) { return d, scanDeliveryRow(r, &d) }

// notFound is what when no row was found, else err.
func notFound(err error, what *shoal.Error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return what
	}
	return err
}

// Delivery returns one delivery of the workspace; ErrDeliveryNotFound.
func (s *Store) Delivery(ctx context.Context, ws shoal.WorkspaceID, id shoal.DeliveryID) (shoal.Delivery, error) {
	return s.delivery(ctx, s.read, ws, id)
}

func (s *Store) delivery(ctx context.Context, q querier, ws shoal.WorkspaceID, id shoal.DeliveryID) (d shoal.Delivery, err error) {
	const text = `SELECT ` + deliveryColumns + ` FROM ` + deliveryTables + ` WHERE d.id = $1 AND w.id = $2`
	err = scanDeliveryRow(q.QueryRowContext(ctx, text, string(id), string(ws)), &d)
	if err = notFound(err, shoal.ErrDeliveryNotFound); err != nil {
		return d, fmt.Errorf("read delivery: %w", err)
	}
	return d, nil
}

// Redeliver sends a delivery again, whatever became of it, under its own id and
// with its attempts counted anew. One that is pending is tried now.
func (s *Store) Redeliver(ctx context.Context, ws shoal.WorkspaceID, id shoal.DeliveryID) (d shoal.Delivery, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if d, err = s.delivery(ctx, tx, ws, id); err != nil {
			return err
		}
		if d.RunID == "" {
			return shoal.ErrDeliveryNotFound
		}
		now, err := s.clock(ctx, tx)
		if err != nil {
			return err
		}
		const q = `UPDATE deliveries SET status = 'pending', attempts = 0, next_at = $2, delivered_at = 0 WHERE pk = $1`
		if _, err := tx.ExecContext(ctx, q, d.PK, now); err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, deliverJob(d.SquidPK, d.Channel, 0)); err != nil {
			return err
		}
		if d, err = s.delivery(ctx, tx, ws, id); err != nil {
			return err
		}
		return s.remember(ctx, tx, d)
	})
	if err != nil {
		return d, fmt.Errorf("redeliver: %w", err)
	}
	return d, nil
}

// DeliveryTargets returns the targets of a squid that were ever used, with what
// is pending at each.
func (s *Store) DeliveryTargets(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) ([]shoal.DeliveryTarget, error) {
	pk, err := squidPK(ctx, s.read, ws, id)
	if err != nil {
		return nil, err
	}
	const q = `SELECT t.channel, t.failures, t.paused_at, t.paused_why,
			(SELECT COUNT(*) FROM deliveries d WHERE d.squid_pk = t.squid_pk AND d.channel = t.channel AND d.status = 'pending')
		FROM delivery_targets t WHERE t.squid_pk = $1 ORDER BY t.channel`
	all, err := collect(ctx, s.read, func(r scanner) (t shoal.DeliveryTarget, err error) {
		return t, r.Scan(&t.Channel, &t.Failures, times{}.into(&t.PausedAt), &t.Why, &t.Pending)
	}, q, pk)
	if err != nil {
		return nil, fmt.Errorf("list the targets of deliveries: %w", err)
	}
	return all, nil
}
