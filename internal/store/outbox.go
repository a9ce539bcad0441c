package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"shoal"
	"shoal/internal/jobs"
)

// addDeliveries writes the deliveries that the run's new state asks for, and
// enqueues their jobs. The event of the new state is the last one that row has.
func (s *Store) addDeliveries(ctx context.Context, tx *sql.Tx, row *runRow) error {
	event := shoal.EventOf(row.Status)
	if event == "" {
		return nil
	}
	var name, notify string
	var config shoal.DeliveryConfig
	const q = `SELECT name, run_notify, delivery FROM squids WHERE pk = $1 AND deleted_at = 0
		AND (delivery IS NOT NULL OR run_notify <> '')`
	squids, err := collect(ctx, tx, func(r scanner) (struct{}, error) {
		return struct{}{}, scanDelivery(r, &name, &notify, &config)
	}, q, row.SquidPK)
	if err != nil {
		return fmt.Errorf("read the squid's deliveries: %w", err)
	}
	if len(squids) == 0 {
		return nil
	}
	payload := shoal.DeliveryPayload{
		SquidName: name, Status: row.Status, Reason: row.DoneReason, Desc: row.DoneReasonDesc, Results: row.TotalResults,
		Unique: row.UniqueResults, Exported: row.ExportDone, Seconds: row.Active.Seconds(),
	}
	for _, c := range config.Wanted(event, notify) {
		if c.Files() && !row.ExportDone {
			continue
		}
		if err := s.addDelivery(ctx, tx, row.workspacePK, row.SquidPK, row.PK, row.EventSeq, event, c, payload); err != nil {
			return err
		}
	}
	return nil
}

// scanDelivery reads a squid's texts and its deliveries, whose column may be NULL.
func scanDelivery(r scanner, name, notify *string, config *shoal.DeliveryConfig) error {
	var raw []byte
	if err := r.Scan(name, notify, &raw); err != nil || raw == nil {
		return err
	}
	return json.Unmarshal(raw, config)
}

// addDelivery writes one delivery and enqueues its job.
func (s *Store) addDelivery(ctx context.Context, tx *sql.Tx, workspacePK, squidPK, runPK, eventSeq int64,
	event shoal.RunEvent, c shoal.Channel, payload shoal.DeliveryPayload) error {
	b, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode delivery: %w", err)
	}
	now, err := s.clock(ctx, tx)
	if err != nil {
		return err
	}
	const q = `INSERT INTO deliveries (id, workspace_pk, squid_pk, run_pk, event, event_seq, channel, payload, created_at, next_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) ON CONFLICT (run_pk, event_seq, channel) DO NOTHING`
	_, err = tx.ExecContext(ctx, q, string(shoal.NewID[shoal.DeliveryID]()), workspacePK, squidPK, runPK, string(event), eventSeq,
		string(c), plain(string(b)), now)
	if err != nil {
		return fmt.Errorf("write delivery: %w", err)
	}
	return s.enqueue(ctx, tx, deliverJob(squidPK, c, 0))
}

// deliverJob is the job that sends the oldest delivery of a target, at a time
// in microseconds; 0: now.
func deliverJob(squidPK int64, c shoal.Channel, at int64) jobs.Job {
	j := jobs.New(jobs.KindDeliver, jobs.DeliverArgs{Squid: squidPK, Channel: string(c)})
	j.At = fromMicros(at)
	return j
}
