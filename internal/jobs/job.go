// Package jobs is Shoal's durable job queue: River behind one narrow
// interface, on SQLite and PostgreSQL alike. A job is enqueued in the
// transaction of its caller, is worked at least once, and outlives any kill.
//
// # Promises
//
// A job is worked at least once, and again after a crash: handlers are
// idempotent, and fence what they write. Two attempts of one job overlap only
// when a process stood still for longer than its peers wait for a heartbeat.
//
// # Limits
//
// River finds jobs by polling once a second; Kick makes it look at once. On
// PostgreSQL a commit also wakes the workers of other processes.
// A job with an At in the future, and a retry more than 5 s away, become due on
// the leader's 5 s tick: wait inside the handler for anything finer. Throughput
// of a queue is its number of workers divided by the fetch cooldown.
//
// River calls its SQLite driver early: it completes jobs row by row (about
// 0.5 ms of CPU each, so a job is a lease on much work, never one page), needs
// a pool of a single connection, and may reuse the id of a deleted job. A query
// on that pool while a transaction of the same goroutine is open waits for ever.
//
// River itself rescues jobs by age alone. Here every working client keeps a
// heartbeat row instead (table job_clients), and the jobs of a dead one are
// taken over.
package jobs

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// Kind names what a job does.
type Kind string

// The kinds of jobs.
const (
	// KindSlot works for a run for at most 20 s; args are SlotArgs.
	KindSlot Kind = "slot"
	// KindFinish exports a run's results and ends it; args are RunArgs.
	KindFinish Kind = "finish"
	// KindConvert makes a file of results in a further form; args are ConvertArgs.
	KindConvert Kind = "convert"
	// KindImport brings an uploaded file of tasks into its squid; args are UploadArgs.
	KindImport Kind = "import"
	// KindSync synchronizes an account; args are SyncArgs.
	KindSync Kind = "sync"
	// KindChain makes a finished run's results another squid's tasks and starts
	// its run; args are RunArgs, of the finished run.
	KindChain Kind = "chain"
	// KindPurge removes the rows of deleted squids, runs and tasks; args are PurgeArgs.
	KindPurge Kind = "purge"
	// KindDeliver sends the oldest delivery of a target; args are DeliverArgs.
	KindDeliver Kind = "deliver"
)

// SlotArgs name one slot of a run.
type SlotArgs struct {
	Run  string `json:"run"`
	Slot int    `json:"slot"`
}

// RunArgs name a run.
type RunArgs struct {
	Run string `json:"run"`
}

// ConvertArgs name a row of table exports: the form of the file stands there.
type ConvertArgs struct {
	Run     string `json:"run"`
	Format  string `json:"format"`
	Variant string `json:"variant,omitempty"`
}

// UploadArgs name a task upload.
type UploadArgs struct {
	Upload string `json:"upload"`
}

// SyncArgs name a synchronization. Jobs hold no secrets: what it is made of is
// sealed in its own row.
type SyncArgs struct {
	Sync string `json:"sync"`
}

// PurgeArgs name what was deleted: Noun is squid, run, tasks, results or keys.
type PurgeArgs struct {
	Noun string `json:"noun"`
	PK   int64  `json:"pk"`
}

// DeliverArgs name a target: a channel of the squid of that number.
type DeliverArgs struct {
	Squid   int64  `json:"squid"`
	Channel string `json:"channel"`
}

// Job is one piece of work to be done at or after At (zero: now).
type Job struct {
	Kind Kind
	Args json.RawMessage
	At   time.Time
}

// New returns a job to be done now. args must encode to JSON.
func New(kind Kind, args any) Job {
	b, err := json.Marshal(args)
	if err != nil {
		panic("jobs: args of " + string(kind) + ": " + err.Error())
	}
	return Job{Kind: kind, Args: b}
}

// Outcome is what a handler makes of a job.
type Outcome int

// The outcomes of a job.
const (
	// Done: the job is complete.
	Done Outcome = iota
	// Again: complete, and its successor with the same arguments is enqueued in
	// the same transaction, so that attempts never pile up.
	Again
)

// Handler works one job. An error makes the job be tried again with backoff;
// ctx ends when the process stops.
type Handler func(ctx context.Context, args json.RawMessage) (Outcome, error)

// Inserter enqueues jobs in the caller's transaction. Kick tells this
// process's workers that jobs were just committed, so that they start within
// milliseconds; without it they are found by polling.
type Inserter interface {
	Insert(ctx context.Context, tx *sql.Tx, jobs ...Job) error
	Kick()
}
