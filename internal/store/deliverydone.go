package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"shoal"
)

// RecordDelivery writes what became of a claimed delivery's attempt, gives the
// target back and enqueues its next job. ErrFenced when the claim was lost:
// whoever has it now decides.
func (s *Store) RecordDelivery(ctx context.Context, w *shoal.DeliveryWork, o shoal.DeliveryOutcome) error {
	err := s.writeSoon(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// The run comes before the target in the order of locks.
		if w.Channel == shoal.ChannelEmail && o.Status == shoal.DeliveryDelivered {
			if err := s.markEmailed(ctx, tx, w); err != nil {
				return err
			}
		}
		if o.Config != nil {
			if err := s.learn(ctx, tx, w, o.Config); err != nil {
				return err
			}
		}
		t, err := s.lockTarget(ctx, tx, w.SquidPK, w.Channel)
		if err != nil {
			return err
		}
		if t.token != w.Token {
			return shoal.ErrFenced
		}
		if err := s.writeOutcome(ctx, tx, w, o); err != nil {
			return err
		}
		return s.giveBack(ctx, tx, w, t, o)
	})
	if err != nil {
		return fmt.Errorf("record delivery %s: %w", w.ID, err)
	}
	return nil
}

func (s *Store) writeOutcome(ctx context.Context, tx *sql.Tx, w *shoal.DeliveryWork, o shoal.DeliveryOutcome) error {
	now, err := s.clock(ctx, tx)
	if err != nil {
		return err
	}
	var delivered int64
	if o.Status == shoal.DeliveryDelivered {
		delivered = now
	}
	const q = `UPDATE deliveries SET status = $2, attempts = attempts + 1, last_at = $3, next_at = $4, delivered_at = $5,
		target = $6, status_code = $7, detail = $8 WHERE pk = $1 AND status = 'pending'`
	_, err = tx.ExecContext(ctx, q, w.PK, string(o.Status), now, micros(o.NextAt), delivered, plain(o.Target), o.StatusCode, plain(o.Detail))
	if err != nil {
		return fmt.Errorf("write outcome: %w", err)
	}
	return nil
}

// pauseAfter is how many deliveries in a row are given up before their target
// is paused: what comes after waits instead of failing one by one.
const pauseAfter = 3

// giveBack ends the claim, pauses a broken target and has a job come for what
// is pending.
func (s *Store) giveBack(ctx context.Context, tx *sql.Tx, w *shoal.DeliveryWork, t *target, o shoal.DeliveryOutcome) error {
	now, err := s.clock(ctx, tx)
	if err != nil {
		return err
	}
	switch o.Status {
	case shoal.DeliveryDelivered:
		t.failures = 0
	case shoal.DeliveryFailed:
		t.failures++
	}
	const q = `UPDATE delivery_targets SET claimed_until = 0, failures = $3 WHERE squid_pk = $1 AND channel = $2`
	if _, err := tx.ExecContext(ctx, q, t.squidPK, string(t.channel), t.failures); err != nil {
		return fmt.Errorf("give the target back: %w", err)
	}
	switch broken := o.PauseTarget || t.failures >= pauseAfter; {
	case t.pause > 0: // by a person, while this was on its way
		return nil
	case broken:
		if err := s.pauseTarget(ctx, tx, t, now, o.Detail); err != nil {
			return err
		}
		return s.alert(ctx, tx, w, o)
	}
	const next = `SELECT next_at FROM deliveries WHERE squid_pk = $1 AND channel = $2 AND status = 'pending' ORDER BY pk LIMIT 1`
	pending, err := collect(ctx, tx, scanInt, next, t.squidPK, string(t.channel))
	if err != nil || len(pending) == 0 {
		return err
	}
	if pending[0] > now {
		return s.visit(ctx, tx, t, pending[0], now)
	}
	return s.enqueue(ctx, tx, deliverJob(t.squidPK, t.channel, 0))
}

// alert tells of a target that has just been paused through the squid's e-mail
// and Slack, as far as they are in use and are not what is broken. There is no
// storm: a target is paused once until somebody resumes it, so that two that
// are broken tell of each other once.
func (s *Store) alert(ctx context.Context, tx *sql.Tx, w *shoal.DeliveryWork, o shoal.DeliveryOutcome) error {
	var workspacePK, runPK int64
	if err := tx.QueryRowContext(ctx, `SELECT workspace_pk, run_pk FROM deliveries WHERE pk = $1`, w.PK).Scan(&workspacePK, &runPK); err != nil {
		return fmt.Errorf("read delivery: %w", err)
	}
	payload := w.Payload
	payload.Desc = fmt.Sprintf("Deliveries by %s are paused: %s", w.Channel, o.Detail)
	for _, c := range w.Config.Alerts(w.Notify) {
		if c == w.Channel {
			continue
		}
		if err := s.addDelivery(ctx, tx, workspacePK, w.SquidPK, runPK, -w.PK, shoal.EventDeliveryPaused, c, payload); err != nil {
			return err
		}
	}
	return nil
}

// markEmailed notes on the run that its results were mailed.
func (s *Store) markEmailed(ctx context.Context, tx *sql.Tx, w *shoal.DeliveryWork) error {
	if w.Event == shoal.EventDeliveryPaused {
		return nil
	}
	was, err := s.lockRun(ctx, tx, `r.id = $1`, w.RunID)
	if err != nil {
		return err
	}
	row := *was
	row.EmailDone, row.EmailTime = true, s.now()
	s.publishRun(ctx, &row)
	const q = `UPDATE runs SET email_done = $2, email_time = $3 WHERE pk = $1`
	if _, err := tx.ExecContext(ctx, q, row.PK, row.EmailDone, micros(row.EmailTime)); err != nil {
		return fmt.Errorf("mark the run as mailed: %w", err)
	}
	return nil
}

// learn stores a channel's config with what an attempt has learned, unless a
// person has changed it meanwhile.
func (s *Store) learn(ctx context.Context, tx *sql.Tx, w *shoal.DeliveryWork, config []byte) error {
	var raw []byte
	q := `SELECT delivery FROM squids WHERE pk = $1` + s.db.dialect.forUpdate()
	if err := tx.QueryRowContext(ctx, q, w.SquidPK).Scan(&raw); err != nil {
		return fmt.Errorf("read the squid's deliveries: %w", err)
	}
	var d shoal.DeliveryConfig
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("read the squid's deliveries: %w", err)
	}
	part := d.Part(w.Channel)
	if part == nil || !bytes.Equal(*part, *w.Config.Part(w.Channel)) {
		return nil
	}
	*part = config
	b, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("write the squid's deliveries: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE squids SET delivery = $2 WHERE pk = $1`, w.SquidPK, b); err != nil {
		return fmt.Errorf("write the squid's deliveries: %w", err)
	}
	return nil
}
