package schedule

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"shoal"
	"shoal/internal/jobs"
)

// ChainStore is what hand-overs need of the store. Each step is one
// transaction that moves the hand-over on, or is refused with ErrHandoverMoved
// when another server, or this one before it was killed, has done it.
type ChainStore interface {
	// Handover returns the hand-over of a finished run; ErrRunNotFound.
	Handover(ctx context.Context, run shoal.RunID) (shoal.Handover, error)
	// TargetOf finds or makes the squid that the results go to.
	TargetOf(ctx context.Context, run shoal.RunID, q shoal.Squid, baseName string) (shoal.SquidID, error)
	// HandOver adds a batch's tasks to the target and moves the cursor on.
	HandOver(ctx context.Context, h shoal.Handover, b shoal.HandoverBatch) (shoal.Handover, error)
	// HandedOver says that all results were looked at.
	HandedOver(ctx context.Context, h shoal.Handover) error
	// AwaitTarget makes the hand-over wait for the target's run; false when
	// none is under way.
	AwaitTarget(ctx context.Context, h shoal.Handover, message string) (waits bool, err error)
	// EndHandover ends the hand-over without a run, and says why.
	EndHandover(ctx context.Context, h shoal.Handover, level, message string) error
	// ReadResults returns the next rows of q, oldest first.
	ReadResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error)
}

// ChainStarter starts the runs that hand-overs lead to.
type ChainStarter interface {
	// Chain starts the run and ends the hand-over with it. said is the sentence
	// for the log of a finished run, given the new run's id.
	Chain(ctx context.Context, h shoal.Handover, said func(shoal.Handover, shoal.RunID) string) (shoal.Run, error)
}

// Program is a crawler that can check tasks.
type Program interface {
	Info() *shoal.Crawler
	// CheckTask returns one task's params as canonical JSON, and its identity.
	CheckTask(params map[string]any) (canonical []byte, digest [16]byte, err error)
}

// Catalogue knows the crawlers that a workspace may use.
type Catalogue interface {
	Lookup(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (Program, error)
}

// Chains hands the results of finished runs over. Its fields are set before use.
type Chains struct {
	Store     ChainStore
	Catalogue Catalogue
	Starts    ChainStarter
}

// turn is how long one job works before others get theirs.
const turn = 20 * time.Second

// Work goes on with a hand-over from where it stands. It is the handler of
// jobs.KindChain, and may be killed at any instant.
func (c *Chains) Work(ctx context.Context, raw json.RawMessage) (jobs.Outcome, error) {
	var args jobs.RunArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return jobs.Done, shoal.Invalid("InvalidParam", "args", "chain job with unreadable arguments %s: %v", raw, err)
	}
	h, err := c.Store.Handover(ctx, shoal.RunID(args.Run))
	if errors.Is(err, shoal.ErrRunNotFound) {
		return jobs.Done, nil // deleted
	}
	if err != nil {
		return jobs.Done, err
	}
	outcome, err := c.goOn(ctx, h)
	switch {
	case err == nil:
		return outcome, nil
	case errors.Is(err, shoal.ErrHandoverMoved):
		return jobs.Again, nil
	case final(err):
		return jobs.Done, c.fail(ctx, h, err)
	}
	return jobs.Done, fmt.Errorf("hand over run %s: %w", h.RunID, err)
}

// final reports whether trying again would end the same way.
func final(err error) bool {
	switch shoal.KindOf(err) {
	case shoal.KindInternal, shoal.KindUnavailable, shoal.KindStorageFull, shoal.KindFenced, shoal.KindRateLimited:
		return false
	}
	return true
}

// fail ends the hand-over with an error, which a person can mend.
func (c *Chains) fail(ctx context.Context, h shoal.Handover, cause error) error {
	// What was done until here counts, too.
	if now, err := c.Store.Handover(ctx, h.RunID); err == nil {
		h = now
	}
	said := "The chain could not go on: " + message(cause)
	if errors.Is(cause, shoal.ErrSquidNotFound) {
		said = "The chain could not go on: the squid that its results go to was deleted. The next run's results go to a new one."
	}
	if h.LookedAt > 0 {
		said = counts(&h) + " " + said
	}
	return c.Store.EndHandover(ctx, h, "error", said)
}

// goOn does the steps that are left.
func (c *Chains) goOn(ctx context.Context, h shoal.Handover) (jobs.Outcome, error) {
	switch h.State {
	case shoal.HandoverMoving:
		done, err := c.move(ctx, &h)
		if err != nil || !done {
			return jobs.Again, err
		}
		// In a job of its own: what is done is kept whatever comes of the start.
		return jobs.Again, c.Store.HandedOver(ctx, h)
	case shoal.HandoverStarting:
		return jobs.Done, c.start(ctx, &h)
	}
	return jobs.Done, nil
}

// move makes the results tasks, batch by batch, and reports whether all are.
func (c *Chains) move(ctx context.Context, h *shoal.Handover) (done bool, err error) {
	p, err := c.Catalogue.Lookup(ctx, h.WorkspaceID, string(h.TargetCrawler))
	if errors.Is(err, shoal.ErrCrawlerNotFound) {
		return false, shoal.Business("ModuleUnavailable", "the crawler that its results go to is not installed here any more.")
	}
	if err != nil {
		return false, err
	}
	if h.Target == "" {
		if h.Target, err = c.target(ctx, h, p.Info()); err != nil {
			return false, err
		}
	}
	q := shoal.ResultQuery{Workspace: h.WorkspaceID, Run: h.RunID, Limit: firstBatch}
	for until := time.Now().Add(turn); time.Now().Before(until); {
		q.After = h.Cursor
		rows, err := c.Store.ReadResults(ctx, q)
		if err != nil || len(rows) == 0 {
			return err == nil, err
		}
		batch, size := tasksOf(h, p, rows)
		if *h, err = c.Store.HandOver(ctx, *h, batch); err != nil {
			return false, err
		}
		if len(rows) < q.Limit {
			return true, nil
		}
		q.Limit = min(max(batchBytes/(size/len(rows)+1), 1), maxBatch)
	}
	return false, nil
}

// Batches are about this large, whatever a row weighs.
const (
	firstBatch = 100
	maxBatch   = 1000
	batchBytes = 1 << 20
)

// target finds or makes the squid that the results go to.
func (c *Chains) target(ctx context.Context, h *shoal.Handover, info *shoal.Crawler) (shoal.SquidID, error) {
	return c.Store.TargetOf(ctx, h.RunID, shoal.Squid{
		ID: shoal.NewID[shoal.SquidID](), WorkspaceID: h.WorkspaceID, CrawlerID: info.ID, CrawlerSlug: info.Slug,
		Name: h.ClusterName, Concurrency: min(max(h.ClusterConcurrency, 1), max(info.MaxConcurrency, 1)),
	}, info.Name)
}

// tasksOf makes tasks of rows, and returns how many bytes the rows had.
func tasksOf(h *shoal.Handover, p Program, rows []shoal.Result) (b shoal.HandoverBatch, size int) {
	for i := range rows {
		b.Cursor, b.LookedAt = rows[i].Key, b.LookedAt+1
		size += len(rows[i].Data)
		params, ok := paramsOf(h.FieldMap, rows[i].Data)
		if !ok {
			b.Lacking++
			continue
		}
		task, digest, err := p.CheckTask(params)
		if err != nil {
			b.Invalid++
			if b.FirstInvalid == "" {
				b.FirstInvalid = message(err)
			}
			continue
		}
		b.Tasks = append(b.Tasks, shoal.NewTask{Params: task, Digest: digest})
	}
	return b, size
}

// paramsOf reads the mapped fields of a row; false when one has no value.
func paramsOf(fieldMap map[string]string, data []byte) (map[string]any, bool) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var row map[string]any
	if err := dec.Decode(&row); err != nil {
		return nil, false
	}
	params := make(map[string]any, len(fieldMap))
	for field, param := range fieldMap {
		v := plain(row[field])
		if text, ok := v.(string); v == nil || ok && strings.TrimSpace(text) == "" {
			return nil, false
		}
		params[param] = v
	}
	return params, true
}

// plain turns numbers into what params are made of.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	}
	return v
}

// start starts the target's run, or says why there is none.
func (c *Chains) start(ctx context.Context, h *shoal.Handover) error {
	if h.Added+h.Duplicates == 0 {
		return c.Store.EndHandover(ctx, *h, "warning", counts(h)+" No run was started: there is nothing to collect.")
	}
	for {
		_, err := c.Starts.Chain(ctx, *h, said)
		switch {
		case errors.Is(err, shoal.ErrHandoverMoved):
			return nil // its run has begun
		case shoal.CodeOf(err) != "RunInProgress":
			return err
		}
		waits, err := c.Store.AwaitTarget(ctx, *h, counts(h)+" Their run begins when the one of that squid that is under way has ended.")
		if errors.Is(err, shoal.ErrHandoverMoved) {
			return nil
		}
		if err != nil || waits {
			return err
		}
	}
}

// said tells in a finished run's log what its chain did.
func said(h shoal.Handover, run shoal.RunID) string {
	if !h.Autostart {
		return counts(&h) + fmt.Sprintf(" The run %s waits for a person to resume it: the chain's autostart is off.", run)
	}
	return counts(&h) + fmt.Sprintf(" The run %s has begun.", run)
}

// counts says what became of the results.
func counts(h *shoal.Handover) string {
	var parts []string
	add := func(n int64, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(h.Added, "new")
	add(h.Duplicates, "that it had already")
	text := fmt.Sprintf("The chain made tasks of %d results for the squid %s: %s.", h.LookedAt, h.Target, cmp.Or(strings.Join(parts, " and "), "none"))
	if h.Lacking > 0 {
		text += fmt.Sprintf(" %d had no value of %s and were left out.", h.Lacking, strings.Join(slices.Sorted(maps.Keys(h.FieldMap)), " or "))
	}
	if h.Invalid > 0 {
		text += fmt.Sprintf(" %d were refused by its crawler; the first because: %s", h.Invalid, strings.TrimRight(h.FirstInvalid, ".")+".")
	}
	return text
}
