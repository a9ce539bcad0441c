package runs

import (
	"context"
	"time"

	"shoal"
)

// Store is what the run engine needs of the store. One method is one
// transaction; every method may be called from any goroutine.
type Store interface {
	// CreateRun writes a pending run, its run tasks (copied from the squid's
	// active tasks in one statement), its first event, and what n.Begin makes of
	// it, whose error is returned as it is. It returns a Business error RunInProgress when the squid has an active run (a paused one counts)
	// and NoTasksPresent when it has no active task, both decided inside the transaction.
	CreateRun(ctx context.Context, n NewRun) (shoal.Run, error)
	// Squid and Run return what belongs to the workspace; ErrSquidNotFound and
	// ErrRunNotFound for everything else.
	Squid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) (shoal.Squid, error)
	Run(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID) (shoal.Run, error)
	// RunLog lists all that happened to a run, newest first.
	RunLog(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, w shoal.Window) (shoal.Listing[shoal.Event], error)
	// RunByID returns a run by id alone; only the engine may call it.
	RunByID(ctx context.Context, id shoal.RunID) (shoal.Run, error)
	// ChangeRun loads a run for update, lets decide change it (status, reasons,
	// outcome, times, wake-up, export bookkeeping, Shared) and writes it, an
	// EventStatus if the status or reason changed, and the effects, in one
	// transaction. decide is pure and may be called again if the transaction is
	// retried. Its error is returned as it is and nothing is written.
	ChangeRun(ctx context.Context, id shoal.RunID, actor string,
		decide func(r *shoal.Run, now time.Time) (shoal.Effects, error)) (shoal.Run, error)

	// AdmitRun is ChangeRun for what may put a run to work: decide is told how
	// the run's workspace and squid stand, which nobody can change meanwhile.
	AdmitRun(ctx context.Context, id shoal.RunID, actor string, decide shoal.Admission) (shoal.Run, error)

	// SwitchAccount writes what a run learned of the account that it works with
	// and lets decide whether the run goes on, with which account; a note that it
	// returns goes into the run's log. Else it is AdmitRun.
	SwitchAccount(ctx context.Context, id shoal.RunID, actor string, m shoal.AccountMark,
		decide func(r *shoal.Run, st *shoal.Standing, now time.Time) (shoal.Effects, string, error)) (shoal.Run, error)
	// RunAccount returns the account that a running run works with, with its
	// sealed cookies; ErrAccountNotFound when it works with none.
	RunAccount(ctx context.Context, run shoal.RunID) (shoal.LinkedAccount, error)
	// KeepJar keeps the cookies that a site renewed, unless the account got
	// others since sealed was read. It reports whether it did.
	KeepJar(ctx context.Context, account int64, sealed, renewed []byte) (bool, error)
	// RunTasks lists a run's tasks, newest first.
	RunTasks(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, w shoal.Window) (shoal.Listing[shoal.RunTask], error)

	// AcquireLease takes a slot of a running run for ttl. ErrLeaseHeld when
	// another live worker has it; an owner takes its own anew, since the answer
	// to its first request may have been lost. ErrRunNotFound when the run is
	// not running.
	AcquireLease(ctx context.Context, run shoal.RunID, slot int, owner string, ttl time.Duration) (shoal.Lease, error)
	// ReleaseLease gives the slot back and returns its unfinished work.
	ReleaseLease(ctx context.Context, l shoal.Lease) error
	// RenewLeases extends every lease of owner to ttl from now, by the
	// database's clock. It returns how many it extended.
	RenewLeases(ctx context.Context, owner string, ttl time.Duration) (int, error)
	// Claim marks up to max requests as worked by the lease's slot and returns
	// them, oldest first: requests of started tasks before new tasks. None
	// ready: empty, no error. ErrFenced when the lease is not in force.
	Claim(ctx context.Context, l shoal.Lease, max int) ([]shoal.Work, error)
	// CommitPage commits what one page caused, grouped with other pages into
	// one transaction, and returns when it is durable. ErrFenced when the lease
	// is not in force; ErrStorageFull when the disk has no room (nothing was written).
	CommitPage(ctx context.Context, p *shoal.Page) (shoal.PageResult, error)

	// AddNote adds an EventNote to the run's history.
	AddNote(ctx context.Context, run shoal.RunID, level, message string) error
	// SetRunMessage sets done_reason_desc of a running run without changing its
	// state; empty clears it.
	SetRunMessage(ctx context.Context, run shoal.RunID, desc string) error

	// Reconcile ends expired leases, returns their work and enqueues the slot
	// jobs that running runs lack. all treats every lease as expired: right only
	// at the start of a process that holds the data directory's lock.
	Reconcile(ctx context.Context, all bool) error
	// RunsIn returns the runs in any of the given states, oldest first, at most limit.
	RunsIn(ctx context.Context, limit int, status ...shoal.RunStatus) ([]shoal.Run, error)
	// RunsToWake returns paused runs whose WakeAt has come.
	RunsToWake(ctx context.Context, now time.Time, limit int) ([]shoal.Run, error)
	// RunsPausedFor returns runs that are paused for reason, and
	// RunsPausedBefore those that have been paused since t or longer.
	RunsPausedFor(ctx context.Context, reason shoal.DoneReason, limit int) ([]shoal.Run, error)
	RunsPausedBefore(ctx context.Context, t time.Time, limit int) ([]shoal.Run, error)
	// CrawlersPaused returns the crawlers of which runs are paused for reason.
	CrawlersPaused(ctx context.Context, reason shoal.DoneReason) ([]shoal.PausedCrawler, error)
	// WakeRuns makes paused runs whose cause is gone look again at once.
	WakeRuns(ctx context.Context, c shoal.WakeCause) error

	// CrawlerVersion returns an immutable definition.
	CrawlerVersion(ctx context.Context, pk int64) (shoal.CrawlerVersion, error)
	// ReadResults returns the next rows of q in order of collection (keyset).
	ReadResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error)
	// HealthBefore returns how complete the results of the squid's runs before
	// run were, newest first, and SaveHealth records it of a run, with its
	// warning as the squid's message and as a note.
	HealthBefore(ctx context.Context, run shoal.RunID, limit int) ([]shoal.Health, error)
	SaveHealth(ctx context.Context, h shoal.Health) error
	// ExpiredRuns returns squids of which runs have results that the rules of
	// retention keep no longer, and RemoveResults removes a bounded number of runs'
	// results; it reports whether there are more. StaleExports returns files that
	// they keep no longer, and ForgetExport removes the row of one.
	ExpiredRuns(ctx context.Context, limit int) ([]shoal.ExpiredRuns, error)
	RemoveResults(ctx context.Context, x shoal.ExpiredRuns) (more bool, err error)
	StaleExports(ctx context.Context, limit int) ([]shoal.Export, error)
	ForgetExport(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) error
	// SaveExport records a file that is complete; ErrRunNotFound and
	// ErrResultsRemoved when nobody wants it any more.
	SaveExport(ctx context.Context, e shoal.Export) error
	// WantExport has a file made in the background unless it is there or on its
	// way; missing says that a complete one is gone. ExportRow returns it in
	// whatever state it is, NoteExport records how far it is, and UseExport that it
	// was read.
	WantExport(ctx context.Context, run shoal.RunID, form shoal.ExportForm, total int64, missing bool) (shoal.Export, error)
	ExportRow(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) (shoal.Export, error)
	NoteExport(ctx context.Context, e *shoal.Export) error
	UseExport(ctx context.Context, e *shoal.Export) error
	// ExportOf returns a complete file; ErrRunNotFound when there is none.
	ExportOf(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) (shoal.Export, error)
}

// NewRun is a run to create.
type NewRun = shoal.NewRun
