package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"shoal"
	"shoal/internal/runs"
)

// appendRun appends a run as §1 of the contract has it. It is the hottest
// answer of all: clients poll it.
func appendRun(b []byte, r *shoal.Run, now time.Time) []byte {
	b = append(b, `{"id":"`...)
	b = append(b, r.ID...)
	b = append(b, `","object":"run","created_at":`...)
	b = appendTimeOrNull(b, r.CreatedAt)
	b = append(b, `,"started_at":`...)
	b = appendTimeOrNull(b, r.StartedAt)
	b = append(b, `,"ended_at":`...)
	b = appendTimeOrNull(b, r.EndedAt)
	b = append(b, `,"duration":`...)
	b = appendSeconds(b, r.Duration(now))
	b = append(b, `,"credit_used":`...)
	b = appendCredits(b, r.CreditsUsed)
	b = append(b, `,"origin":"`...)
	b = append(b, r.Origin...)
	b = append(b, `","status":"`...)
	b = append(b, r.Status...)
	b = append(b, `","total_results":`...)
	b = strconv.AppendInt(b, r.TotalResults, 10)
	b = append(b, `,"total_unique_results":`...)
	b = strconv.AppendInt(b, r.UniqueResults, 10)
	b = append(b, `,"export_done":`...)
	b = strconv.AppendBool(b, r.ExportDone)
	b = append(b, `,"export_time":`...)
	b = appendTimeOrNull(b, r.ExportTime)
	b = append(b, `,"done_reason":`...)
	b = appendStringOrNull(b, string(r.DoneReason))
	b = append(b, `,"done_reason_desc":`...)
	b = appendStringOrNull(b, r.DoneReasonDesc)
	b = append(b, `,"squid":"`...)
	b = append(b, r.SquidID...)
	b = append(b, `","crawler_id":"`...)
	b = append(b, r.CrawlerID...)
	b = append(b, `","next_launch_at":`...)
	b = appendTimeOrNull(b, r.NextLaunchAt)
	b = append(b, `,"shared":`...)
	b = strconv.AppendBool(b, r.Shared)
	b = append(b, `,"is_done":`...)
	b = strconv.AppendBool(b, r.Status.Terminal())
	b = append(b, `,"force_launch":`...)
	b = strconv.AppendBool(b, r.ForceLaunch)
	b = append(b, `,"export_count":`...)
	b = strconv.AppendInt(b, int64(r.ExportCount), 10)
	b = append(b, `,"email_done":`...)
	b = strconv.AppendBool(b, r.EmailDone)
	b = append(b, `,"email_time":`...)
	b = appendTimeOrNull(b, r.EmailTime)
	b = append(b, `,"email_verification":null,"results_removed_at":`...)
	b = appendTimeOrNull(b, r.ResultsRemovedAt)
	return append(b, '}')
}

func (c *call) sendRun(r *shoal.Run) error {
	c.buf = appendRun(c.buf[:0], r, c.a.now())
	return c.send(http.StatusOK, c.buf)
}

// run loads the run of the path.
func (c *call) run() (shoal.Run, error) {
	id, err := id32[shoal.RunID](c, shoal.ErrRunNotFound)
	if err != nil {
		return shoal.Run{}, err
	}
	return c.a.store.Run(c.ctx(), c.ws, id)
}

func (a *API) getRun(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	if c.r.URL.RawQuery != "" {
		if r, err = c.waitForStatus(r); err != nil {
			return err
		}
	}
	return c.sendRun(&r)
}

// maxWait is the longest that ?wait= may ask for, in seconds.
const maxWait = 60

// waitForStatus is the long poll: it returns when the run's status is another
// than it was, or the seconds of ?wait= have passed.
func (c *call) waitForStatus(r shoal.Run) (shoal.Run, error) {
	q, err := c.query()
	if err != nil {
		return r, err
	}
	seconds, err := whole(q, "wait", 0, 0, maxWait)
	if err != nil || seconds == 0 || r.Status.Terminal() {
		return r, err
	}
	if c.a.stopped() {
		return r, nil
	}
	c.longAnswer(time.Duration(seconds)*time.Second + writeGrace)
	ctx, cancel := c.a.untilStopping(c.ctx(), time.Duration(seconds)*time.Second)
	defer cancel()
	waited, err := c.a.store.WaitRun(ctx, r.ID, r, false)
	// The key may have been revoked in the meantime.
	if refused := c.authenticate(); refused != nil && c.ctx().Err() == nil {
		return r, refused
	}
	if err == nil {
		return waited, nil
	}
	if ctx.Err() == nil || c.ctx().Err() != nil {
		return r, err
	}
	return c.a.store.Run(c.ctx(), c.ws, r.ID)
}

// writeGrace is what a client gets to take what is written to it.
const writeGrace = 60 * time.Second

// longAnswer lifts the server's deadline for writing the answer.
func (c *call) longAnswer(d time.Duration) {
	// A writer that has no deadlines (a test's recorder) needs none lifted.
	_ = http.NewResponseController(c.w).SetWriteDeadline(time.Now().Add(d))
}

// untilStopping returns a context that ends after d and when the server stops.
func (a *API) untilStopping(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	if a.stopping == nil {
		return ctx, cancel
	}
	go func() {
		select {
		case <-a.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

func (a *API) listRuns(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	squid, err := idParam[shoal.SquidID](q, "squid", shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	l, err := a.store.Runs(c.ctx(), c.ws, squid, w)
	if err != nil {
		return err
	}
	now := a.now()
	return sendList(c, l, w, func(b []byte, r *shoal.Run) []byte { return appendRun(b, r, now) })
}

func (a *API) startRun(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("squid")
	squid, force := f.text("squid"), f.flag("force_launch", false)
	if err := f.error(); err != nil {
		return err
	}
	if !shoal.ValidID(squid) {
		return shoal.ErrSquidNotFound
	}
	// The answer is the run as it was created, although it is running by then.
	ctx := effectCtx(c, http.StatusOK, func(r shoal.Run) []byte {
		created := runs.AsCreated(r)
		return appendRun(nil, &created, a.now())
	})
	r, err := a.runs.Start(ctx, StartRun{Workspace: c.ws, Squid: shoal.SquidID(squid),
		Origin: shoal.OriginUser, Actor: c.actor(), ForceLaunch: force})
	if err != nil {
		return err
	}
	return c.sendRun(&r)
}

// verb does one change of the run of the path and answers with the run.
func (c *call) verb(do func(ctx context.Context, id shoal.RunID) (shoal.Run, error)) error {
	id, err := id32[shoal.RunID](c, shoal.ErrRunNotFound)
	if err != nil {
		return err
	}
	ctx := effectCtx(c, http.StatusOK, func(r shoal.Run) []byte { return appendRun(nil, &r, c.a.now()) })
	r, err := do(ctx, id)
	if err != nil {
		return err
	}
	return c.sendRun(&r)
}

// errRunComplete is what an abort of an ended run gets: the contract makes it a 404.
var errRunComplete = shoal.NotFound("RunDoesNotExist", "run_hash", "Run not found, or already complete")

func (a *API) abortRun(c *call) error {
	return c.verb(func(ctx context.Context, id shoal.RunID) (shoal.Run, error) {
		r, err := a.runs.Abort(ctx, c.ws, id, c.actor())
		if k := shoal.KindOf(err); err != nil && (k == shoal.KindConflict || k == shoal.KindBusiness) {
			return r, errRunComplete
		}
		return r, err
	})
}

func (a *API) pauseRun(c *call) error {
	return c.verb(func(ctx context.Context, id shoal.RunID) (shoal.Run, error) {
		return a.runs.Pause(ctx, c.ws, id, c.actor())
	})
}

func (a *API) resumeRun(c *call) error {
	return c.verb(func(ctx context.Context, id shoal.RunID) (shoal.Run, error) {
		return a.runs.Resume(ctx, c.ws, id, c.actor())
	})
}

func (a *API) exportRun(c *call) error {
	return c.verb(func(ctx context.Context, id shoal.RunID) (shoal.Run, error) {
		return a.runs.Export(ctx, c.ws, id)
	})
}

func (a *API) shareRun(c *call) error {
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("shared")
	shared := f.flag("shared", false)
	if err := f.error(); err != nil {
		return err
	}
	return c.verb(func(ctx context.Context, id shoal.RunID) (shoal.Run, error) {
		return a.runs.Share(ctx, c.ws, id, shared)
	})
}

func (a *API) deleteRun(c *call) error {
	id, err := id32[shoal.RunID](c, shoal.ErrRunNotFound)
	if err != nil {
		return err
	}
	if err := a.store.DeleteRun(c.ctx(), c.ws, id); err != nil {
		return err
	}
	return c.json(http.StatusOK, deleted{string(id), "run", true})
}

// deleted is the answer to most deletes.
type deleted struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

// isEnd reports whether a context's end is why err came about.
func isEnd(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
