package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
)

// The queues. Each costs a poll a second when idle, hence few: slots, which may
// all be busy for long; deliveries, which may all wait for others' servers;
// conversions, each as heavy as its file is large; and everything else.
const (
	queueSlots   = "slots"
	queueDeliver = "deliveries"
	queueConvert = "conversions"
	queueOther   = river.QueueDefault
)

// maxAttempts is how often a job is tried before it is given up: with a retry
// a minute, the better part of a day.
const maxAttempts = 1000

// Defaults of Options.
const (
	defaultHeartbeat   = 5 * time.Second
	defaultStopTimeout = 5 * time.Second
)

// missedHeartbeats is how many heartbeats a client misses before it is dead.
const missedHeartbeats = 4

// Options configure a Client.
type Options struct {
	// DB is the write pool; on SQLite, of a single connection.
	DB      *sql.DB
	Dialect Dialect
	// Owner names this process among all that share the database, at most 100 bytes.
	Owner string
	// SlotWorkers and OtherWorkers are how many slot jobs, and how many jobs of
	// all other kinds, Run works at a time. A queue with none is not worked. Of
	// conversions it works two at a time where there are OtherWorkers.
	SlotWorkers    int
	DeliverWorkers int // the same for deliveries
	OtherWorkers   int
	// Logger may be nil: no logs.
	Logger *slog.Logger
	// Exclusive says that this process alone uses the database, so that every
	// job found running when Run starts is an orphan and is requeued at once.
	Exclusive bool
	// Heartbeat is how often Run says that it lives; a client silent for four
	// of them is dead. Zero: 5 s. All processes on a database use the same.
	Heartbeat time.Duration
	// StopTimeout is how long Run lets handlers finish after its context has
	// ended, before it ends theirs. Zero: 5 s.
	StopTimeout time.Duration
}

func (o *Options) setDefaults() error {
	if o.DB == nil {
		return errors.New("DB is nil: want the write pool")
	}
	if err := o.Dialect.check(); err != nil {
		return err
	}
	if o.Owner == "" || len(o.Owner) > 100 {
		return fmt.Errorf("owner %q: want a unique id of 1 to 100 bytes", o.Owner)
	}
	if min(o.SlotWorkers, o.DeliverWorkers, o.OtherWorkers) < 0 {
		return fmt.Errorf("workers are %d, %d and %d: want none or more", o.SlotWorkers, o.DeliverWorkers, o.OtherWorkers)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = defaultHeartbeat
	}
	if o.StopTimeout <= 0 {
		o.StopTimeout = defaultStopTimeout
	}
	return nil
}

// Client enqueues jobs and, while Run is under way, works them. It is safe for
// concurrent use.
type Client struct {
	Options
	insert   *river.Client[*sql.Tx]
	running  atomic.Bool
	kick     atomic.Pointer[func()] // nil unless Run works
	lastBeat atomic.Int64           // Unix nanoseconds of the last heartbeat written
}

var _ Inserter = (*Client)(nil)

// Open returns a client that enqueues jobs at once and works them when Run is
// called. It does not touch the database, which must have been migrated before
// the client is used.
func Open(o Options) (*Client, error) {
	if err := o.setDefaults(); err != nil {
		return nil, fmt.Errorf("open jobs: %w", err)
	}
	insert, err := river.NewClient(newDriver(&o), &river.Config{ID: o.Owner, Logger: quiet(o.Logger)})
	if err != nil {
		return nil, fmt.Errorf("open jobs: %w", err)
	}
	return &Client{Options: o, insert: insert}, nil
}

// Insert enqueues jobs in tx: they exist once tx commits. Call Kick after the
// commit.
func (c *Client) Insert(ctx context.Context, tx *sql.Tx, jobs ...Job) error {
	if len(jobs) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		params[i] = river.InsertManyParams{
			Args:       payload{kind: j.Kind, raw: j.Args},
			InsertOpts: &river.InsertOpts{Queue: queueOf(j.Kind), MaxAttempts: maxAttempts, ScheduledAt: j.At},
		}
	}
	if _, err := c.insert.InsertManyFastTx(ctx, tx, params); err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	if err := c.notify(ctx, tx); err != nil {
		return fmt.Errorf("insert jobs: %w", err)
	}
	return nil
}

// Kick makes the workers of this process look for jobs now. Call it after the
// commit of a transaction that inserted some. It costs no query, and nothing at
// all when Run is not under way.
func (c *Client) Kick() {
	if kick := c.kick.Load(); kick != nil {
		(*kick)()
	}
}

// Ready reports whether jobs can be enqueued and, when Run is under way,
// whether this process is still known to live.
func (c *Client) Ready(ctx context.Context) error {
	var n int
	if err := c.DB.QueryRowContext(ctx, "SELECT count(*) FROM job_clients").Scan(&n); err != nil {
		return fmt.Errorf("jobs are not ready: %w", err)
	}
	if c.kick.Load() == nil {
		return nil
	}
	if !c.alive() {
		return fmt.Errorf("jobs are not ready: no heartbeat was written for %s", c.silence().Round(time.Second))
	}
	return nil
}

func queueOf(k Kind) string {
	switch k {
	case KindSlot:
		return queueSlots
	case KindDeliver:
		return queueDeliver
	case KindConvert:
		return queueConvert
	}
	return queueOther
}

// payload carries a job's arguments through River as they are.
type payload struct {
	kind Kind
	raw  json.RawMessage
}

// Kind is River's name for the kind of job.
func (p payload) Kind() string { return string(p.kind) }

// MarshalJSON returns the arguments, or an empty object when there are none.
func (p payload) MarshalJSON() ([]byte, error) {
	if len(p.raw) == 0 {
		return []byte("{}"), nil
	}
	return p.raw, nil
}

// UnmarshalJSON keeps the arguments.
func (p *payload) UnmarshalJSON(b []byte) error { return p.raw.UnmarshalJSON(b) }
