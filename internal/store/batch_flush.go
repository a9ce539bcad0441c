package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"

	"shoal"
)

// event is an entry of a run's history to be written.
type event struct {
	seq, at int64
	kind    shoal.EventKind
	actor   string
	payload []byte
}

// actorEngine is the actor of what the run engine does by itself.
const actorEngine = "engine"

var (
	updateTasks = &bulk{types: []string{"bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint",
		"bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "text", "text"}, text: `
		WITH v (run_pk, seq, state, claimed_by, first_done, known, finished, failed, unreached,
			results, pages, first_key, last_key, ended_at, last_at, done_reason, done_desc) AS ({rows})
		UPDATE run_tasks AS t SET state = v.state, claimed_by = NULLIF(v.claimed_by, -1), first_done = (v.first_done = 1),
			known = v.known, finished = v.finished, failed = v.failed, unreached = v.unreached,
			results = v.results, pages = v.pages, first_key = v.first_key, last_key = v.last_key,
			ended_at = v.ended_at, last_at = v.last_at, done_reason = v.done_reason, done_desc = v.done_desc
		FROM v WHERE t.run_pk = v.run_pk AND t.seq = v.seq`}
	insertEvents = &bulk{types: []string{"bigint", "bigint", "text", "bigint", "text", "text"},
		text: `INSERT INTO run_events (run_pk, seq, kind, at, actor, payload) {rows}`}
	addLedger = &bulk{types: []string{"bigint", "bigint", "bigint", "bigint", "text", "text", "text", "text", "bigint", "bigint", "bigint"}, text: `
		INSERT INTO ledger (workspace_pk, day, period, run_pk, function, run_id, squid_id, crawler_id, credits, attempts, at) {rows}
		ON CONFLICT (workspace_pk, day, period, run_pk, function) DO UPDATE SET
			credits = ledger.credits + excluded.credits, attempts = ledger.attempts + excluded.attempts, at = excluded.at`}
)

const (
	updateCounters = `UPDATE runs SET total_results = $2, unique_results = $3, total_requests = $4, failed_requests = $5,
		known_requests = $6, bytes_fetched = $7, tasks_done = $8, tasks_failed = $9, tasks_unreached = $10, credits_used = $11,
		first_seq = $12, last_seq = $13, last_progress_at = $14, current_task = $15, event_seq = $16, frontier_seq = $17
		WHERE pk = $1`
	closeTasks = `UPDATE run_tasks SET state = 2, ended_at = $2, done_reason = 'max_results'
		WHERE run_pk = $1 AND state < 2`
	spendCredits = `UPDATE workspaces SET credits_consumed = credits_consumed + $2 WHERE pk = $1`
)

// hotBulks and hotTexts are the statements of the writer.
var (
	hotBulks = []*bulk{selectTasks, selectRequests, insertResults, selectOwners, insertKeys, selectKeys, insertLinks,
		offerRequest, insertRequests, selectKnown, updateRequests, updateTasks, insertEvents, addLedger, addUses,
		readRequests, claimRequests, claimTasks, returnTasks, reopenTasks}
	hotTexts = []string{selectRunOwners, selectSquidSeq, selectPlan, selectLeases, selectKeyed, updateKeyed, selectTail, refillKeys, updateSquidSeq,
		updateCounters, spendCredits, selectBatch, updateBatch, claimableRequests, claimableTasks}
)

// flush writes what the pages made of the run.
func (b *batch) flush(ctx context.Context, r *batchRun) error {
	if !r.touched {
		return nil
	}
	if err := b.flushRequests(ctx, r); err != nil {
		return err
	}
	if err := b.flushRows(ctx, r); err != nil {
		return err
	}
	if err := b.flushTasks(ctx, r); err != nil {
		return err
	}
	if err := b.s.insertEvents(ctx, b.tx, r.PK, r.events); err != nil {
		return err
	}
	_, err := b.tx.ExecContext(ctx, updateCounters, r.PK, r.TotalResults, r.UniqueResults, r.TotalRequests, r.FailedRequests,
		r.KnownRequests, r.BytesFetched, r.TasksDone, r.TasksFailed, r.TasksUnreached, int64(r.CreditsUsed),
		r.FirstSeq, r.LastSeq, micros(r.LastProgressAt), r.CurrentTask, r.EventSeq, r.frontierSeq)
	if err != nil {
		return fmt.Errorf("write counters of run %s: %w", r.ID, err)
	}
	row := r.runRow
	b.s.publishRun(ctx, &row)
	if r.was.TasksDone < r.TasksTotal && r.TasksDone >= r.TasksTotal {
		return b.s.enqueueFinish(ctx, b.tx.Tx, &row, b.now)
	}
	return nil
}

func (b *batch) flushTasks(ctx context.Context, r *batchRun) error {
	err := b.tx.exec(ctx, updateTasks, len(r.changed), func(i int, args []any) {
		t, first := r.changed[i], int64(0)
		if t.firstDone {
			first = 1
		}
		copy(args, []any{r.PK, t.seq, t.state, t.claimedBy, first, t.known, t.finished, t.failed, t.unreached,
			t.results, t.pages, t.firstKey, t.lastKey, t.endedAt, t.lastAt, t.reason, t.desc})
	})
	if err != nil {
		return fmt.Errorf("write run tasks: %w", err)
	}
	if !r.closed {
		return nil
	}
	if _, err := b.tx.ExecContext(ctx, closeTasks, r.PK, b.now); err != nil {
		return fmt.Errorf("close the tasks of run %s: %w", r.ID, err)
	}
	return nil
}

// aDay is a day in microseconds.
const aDay = 24 * 3600 * 1_000_000

// charge writes what the batch cost: one ledger entry per day, period, run and
// function, and their sum in the workspace.
func (b *batch) charge(ctx context.Context) error {
	for _, r := range b.runs {
		functions := make([]string, 0, len(r.charges))
		for f := range r.charges {
			functions = append(functions, f)
		}
		err := b.tx.exec(ctx, addLedger, len(functions), func(i int, args []any) {
			c := r.charges[functions[i]]
			copy(args, []any{r.workspacePK, b.now / aDay, r.ws.period, r.PK, functions[i], string(r.ID), string(r.SquidID),
				string(r.CrawlerID), int64(c.credits), c.attempts, b.now})
		})
		if err != nil {
			return fmt.Errorf("write the ledger: %w", err)
		}
	}
	for _, w := range b.wss {
		if w.charged == 0 {
			continue
		}
		if _, err := b.tx.ExecContext(ctx, spendCredits, w.pk, int64(w.charged)); err != nil {
			return fmt.Errorf("charge workspace %d: %w", w.pk, err)
		}
	}
	return nil
}

// insertEvents writes events of a run.
func (s *Store) insertEvents(ctx context.Context, tx *hotTx, run int64, events []event) error {
	err := tx.exec(ctx, insertEvents, len(events), func(i int, args []any) {
		e := &events[i]
		copy(args, []any{run, e.seq, string(e.kind), e.at, e.actor, string(e.payload)})
	})
	if err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

// log adds the page's request to the run's history.
func (r *batchRun) log(p *shoal.Page, now int64) {
	r.EventSeq++
	at := micros(p.At)
	if at == 0 {
		at = now
	}
	l := p.Log
	if l.Task == 0 {
		l.Task = p.TaskSeq
	}
	r.events = append(r.events, event{r.EventSeq, at, shoal.EventRequest, actorEngine, appendRequestLog(nil, &l)})
}

// appendRequestLog appends l as json.Marshal would write it, at a fraction of
// the cost: there is one for every page.
func appendRequestLog(b []byte, l *shoal.RequestLog) []byte {
	b = strconv.AppendInt(append(b, `{"task":`...), l.Task, 10)
	b = appendJSONString(append(b, `,"url":`...), l.URL)
	if l.Status != 0 {
		b = strconv.AppendInt(append(b, `,"status":`...), int64(l.Status), 10)
	}
	if l.Bytes != 0 {
		b = strconv.AppendInt(append(b, `,"bytes":`...), l.Bytes, 10)
	}
	b = strconv.AppendInt(append(b, `,"ms":`...), l.Millis, 10)
	b = strconv.AppendInt(append(b, `,"results":`...), int64(l.Results), 10)
	if l.Links != 0 {
		b = strconv.AppendInt(append(b, `,"links":`...), int64(l.Links), 10)
	}
	if l.Attempt != 0 {
		b = strconv.AppendInt(append(b, `,"attempt":`...), int64(l.Attempt), 10)
	}
	if l.Error != "" {
		b = appendJSONString(append(b, `,"error":`...), l.Error)
	}
	if l.Retry {
		b = append(b, `,"retry":true`...)
	}
	return append(b, '}')
}

// appendJSONString appends s as a JSON string; anything unusual is left to
// encoding/json.
func appendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil { // no string fails to encode
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
