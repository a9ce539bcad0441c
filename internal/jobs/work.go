package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"shoal"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// work is River's worker of every kind.
type work struct {
	river.WorkerDefaults[payload]
	client   *Client
	handlers map[Kind]Handler

	mu   sync.Mutex
	ends map[*context.CancelCauseFunc]bool // of the handlers under way
}

// Timeout bounds slots only.
func (w *work) Timeout(job *river.Job[payload]) time.Duration {
	if Kind(job.Kind) == KindSlot {
		return slotTimeout
	}
	return -1
}

// Work calls the handler and does with the job what its answer asks for.
func (w *work) Work(ctx context.Context, job *river.Job[payload]) error {
	outcome, err := w.handle(ctx, job)
	if err != nil {
		return w.judge(ctx, job, err)
	}
	if outcome != Again {
		return nil
	}
	if err := w.again(ctx, job); err != nil {
		return w.judge(ctx, job, err)
	}
	return nil
}

// handle calls the handler. A panic becomes an error, and so does any answer to
// a job that was taken over meanwhile.
func (w *work) handle(ctx context.Context, job *river.Job[payload]) (outcome Outcome, err error) {
	ctx, end := context.WithCancelCause(ctx)
	w.mu.Lock()
	w.ends[&end] = true
	w.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			w.client.Logger.Error("job panicked", "kind", job.Kind, "job", job.ID, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
		w.mu.Lock()
		delete(w.ends, &end)
		w.mu.Unlock()
		if context.Cause(ctx) == ErrLost {
			err = ErrLost
		}
		end(nil)
	}()
	return w.handlers[Kind(job.Kind)](ctx, job.Args.raw)
}

// again completes the job and enqueues its successor in one transaction. The
// process may be stopping: the work is done, so this is done too.
func (w *work) again(ctx context.Context, job *river.Job[payload]) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endGrace)
	defer cancel()
	err := w.client.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := river.JobCompleteTx[*ourDriver](ctx, tx, job); err != nil {
			return err
		}
		return w.client.Insert(ctx, tx, Job{Kind: Kind(job.Kind), Args: job.Args.raw})
	})
	if errors.Is(err, rivertype.ErrNotFound) {
		return nil // taken over: whoever holds it now decides about a successor
	}
	if err != nil {
		return fmt.Errorf("complete the job and insert its successor: %w", err)
	}
	w.client.Kick()
	return nil
}

// judge logs a failure, and tells River whether to try again.
func (w *work) judge(ctx context.Context, job *river.Job[payload], err error) error {
	log := w.client.Logger.With("kind", job.Kind, "job", job.ID, "args", string(job.Args.raw), "attempt", job.Attempt, "err", err)
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		log.Debug("job interrupted by the stop; it is requeued")
		return err
	case errors.Is(err, ErrLost):
		log.Info("job was taken over; this attempt of it is void")
		return err
	case permanent[shoal.KindOf(err)]:
		log.Error("job given up: another attempt cannot mend this")
		return river.JobCancel(err)
	case job.Attempt >= job.MaxAttempts:
		log.Error("job given up after its last attempt")
		return err
	default:
		log.Warn("job failed; it is tried again")
		return err
	}
}

// active is how many handlers are under way.
func (w *work) active() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ends)
}

// endAll ends the context of every handler under way.
func (w *work) endAll(cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for end := range w.ends {
		(*end)(cause)
	}
}
