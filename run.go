package shoal

import (
	"fmt"
	"strings"
	"time"
)

// RunStatus is the state of a run.
type RunStatus string

// The states of a run.
const (
	RunPending   RunStatus = "pending"
	RunRunning   RunStatus = "running"
	RunPaused    RunStatus = "paused"
	RunUploading RunStatus = "uploading"
	RunDone      RunStatus = "done"
	RunAborted   RunStatus = "aborted"
	RunError     RunStatus = "error"
)

// Terminal reports whether a run in this state has ended for good.
func (s RunStatus) Terminal() bool {
	return s == RunDone || s == RunAborted || s == RunError
}

// DoneReason says why a run is in its state.
type DoneReason string

// The reasons; see docs/run-lifecycle.md for the cause of each and what ends it.
const (
	ReasonNone                   DoneReason = ""
	ReasonTasksDone              DoneReason = "tasks_done"
	ReasonAborted                DoneReason = "aborted"
	ReasonNoCreditsLeft          DoneReason = "no_credits_left"
	ReasonNoAccountAvailable     DoneReason = "no_account_available"
	ReasonNoAccounts             DoneReason = "no_accounts"
	ReasonCookiesExpired         DoneReason = "cookies_expired"
	ReasonWrongCredentials       DoneReason = "wrong_credentials"
	ReasonCheckpointReached      DoneReason = "checkpoint_reached"
	ReasonOTPNeeded              DoneReason = "otp_needed"
	ReasonLimitExceeded          DoneReason = "limit_exceeded"
	ReasonSlotsLimitExceeded     DoneReason = "slots_limit_exceeded"
	ReasonTooManyRequests        DoneReason = "too_many_requests"
	ReasonBatchWait              DoneReason = "batch_wait"
	ReasonDeactivated            DoneReason = "deactivated"
	ReasonMaintenanceFeesNotPaid DoneReason = "maintenance_fees_not_paid"
	ReasonLastInvoiceNotPaid     DoneReason = "last_invoice_not_paid"
	ReasonExportFix              DoneReason = "export_fix"
	ReasonStorageFull            DoneReason = "storage_full"
	ReasonWebsiteInaccessible    DoneReason = "website_inaccessible"
	ReasonRequestFailed          DoneReason = "request_failed"
	ReasonExportFailed           DoneReason = "export_failed"
	ReasonModuleMaintenance      DoneReason = "module_under_maintenance"
	ReasonPremiumPlanNeeded      DoneReason = "premium_plan_needed"
	ReasonAccountBlocked         DoneReason = "account_blocked"
	ReasonLoggedOut              DoneReason = "logged_out"
	ReasonChallengeRequired      DoneReason = "challenge_required"
	ReasonAccountTooManyRequests DoneReason = "account_too_many_requests"
)

// Origin says who started a run.
type Origin string

// The origins of a run.
const (
	OriginUser     Origin = "user"
	OriginSchedule Origin = "schedule"
	OriginChain    Origin = "chain"
)

// Run is one execution of a squid.
type Run struct {
	PK             int64
	ID             RunID
	WorkspaceID    WorkspaceID
	SquidPK        int64
	SquidID        SquidID
	CrawlerID      CrawlerID
	VersionPK      int64 // the crawler version it started with
	Origin         Origin
	Status         RunStatus
	DoneReason     DoneReason
	DoneReasonDesc string
	// Outcome is where an uploading run is going (done, aborted or error) and,
	// after a failed export, where a repaired one returns to.
	Outcome       RunStatus
	OutcomeReason DoneReason
	OutcomeDesc   string
	CreatedAt     time.Time
	StartedAt     time.Time // zero: not yet
	EndedAt       time.Time // zero: not yet
	// Active is the execution time of finished stretches; ActiveSince the start
	// of the current one, zero while paused or ended.
	Active      time.Duration
	ActiveSince time.Time
	// WakeAt is when a paused run looks again by itself; zero: never by time.
	WakeAt time.Time
	// PausedAt is when the present pause began; zero when not paused.
	PausedAt time.Time
	// PauseCount counts pauses for the same reason in a row without progress
	// between; it drives the doubling of waits.
	PauseCount  int
	ForceLaunch bool
	Shared      bool
	// AccountPK is the account that a running run works with; 0: none. A run
	// that is not running has none.
	AccountPK int64

	// The settings copied at the start; later changes of the squid do not reach the run.
	Settings RunSettings

	// Counters, kept by page commits.
	TotalResults   int64 // extracted, duplicates included
	UniqueResults  int64 // stored
	TotalRequests  int64 // responses committed, failures included
	FailedRequests int64
	KnownRequests  int64 // requests known so far: the frontier and the tasks' own
	BytesFetched   int64
	TasksTotal     int64
	TasksDone      int64 // ended in any way
	TasksFailed    int64
	TasksUnreached int64 // of TasksFailed, those whose every request failed by DNS, TCP, TLS or 5xx
	CreditsUsed    Credits
	// FirstSeq and LastSeq bound the run's results within its squid's
	// sequence; equal when it has none. Rows have FirstSeq < seq <= LastSeq.
	FirstSeq, LastSeq int64
	LastProgressAt    time.Time
	CurrentTask       string // params of the task last worked on, as JSON

	// Export bookkeeping.
	ExportDone  bool
	ExportTime  time.Time
	ExportCount int
	EmailDone   bool
	EmailTime   time.Time
	EventSeq    int64 // the newest event's sequence
	// ResultsRemovedAt is when the results were removed because they were old;
	// zero: they were not.
	ResultsRemovedAt time.Time

	// NextLaunchAt is the squid's next scheduled launch; zero: no time is set.
	NextLaunchAt time.Time
}

// RunSettings is what a run copies from its squid at the start.
type RunSettings struct {
	CrawlerSlug         string             `json:"crawler_slug"`
	Params              map[string]any     `json:"params,omitempty"`    // defaults filled in
	Functions           []string           `json:"functions,omitempty"` // enabled add-ons
	Concurrency         int                `json:"concurrency"`
	MaxResults          int64              `json:"max_results,omitempty"`        // per task; 0: no limit
	MaxUniqueResults    int64              `json:"max_unique_results,omitempty"` // per run; 0: no limit
	MaxRequests         int64              `json:"max_requests,omitempty"`       // per task; 0: no limit
	MaxRunRequests      int64              `json:"max_run_requests,omitempty"`   // per run; 0: no limit
	MaxBytes            int64              `json:"max_bytes,omitempty"`          // per run; 0: no limit
	MaxDuration         time.Duration      `json:"max_duration,omitempty"`       // per run, execution time; 0: no limit
	ErrorBudget         float64            `json:"error_budget"`                 // share of tasks that may fail, 0..1
	CreditsPerRow       Credits            `json:"credits_per_row"`
	CreditsPerFunction  map[string]Credits `json:"credits_per_function,omitempty"`
	FunctionOrder       []string           `json:"function_order,omitempty"` // bit i of Row.Functions
	ExportUniqueResults bool               `json:"export_unique_results,omitempty"`
	NoLineBreaks        bool               `json:"no_line_breaks,omitempty"`
	// Account is the type of account that the crawler works with, nil: none of
	// its own, and AccountRequired says that it works with none but them.
	Account         *AccountType `json:"account,omitempty"`
	AccountRequired bool         `json:"account_required,omitempty"`
	// AccountCounts are the limits that the crawler's pages count against.
	AccountCounts []string `json:"account_counts,omitempty"`
}

// NewRun is a run to create.
type NewRun struct {
	ID          RunID
	WorkspaceID WorkspaceID
	SquidID     SquidID
	Version     CrawlerVersion // stored if its digest is new
	Origin      Origin
	Actor       string
	ForceLaunch bool
	Settings    RunSettings
	// Begin decides in the same transaction what becomes of the run: it starts,
	// is held or ends; nil: it stays pending.
	Begin Admission
	// Launch, unless nil, is the slot of the squid's schedule that the run is made
	// for: it is taken in the same transaction, or nothing is done (ErrLaunchTaken).
	Launch *LaunchClaim
	// Handover, unless nil, is the hand-over that the run ends: together with it,
	// or nothing is done (ErrHandoverMoved).
	Handover *HandoverEnd
}

// Duration returns the run's execution time at now: paused time does not count.
func (r *Run) Duration(now time.Time) time.Duration {
	d := r.Active
	if !r.ActiveSince.IsZero() && now.After(r.ActiveSince) {
		d += now.Sub(r.ActiveSince)
	}
	return d
}

// Effects are the things a change of a run's state brings about; the store
// carries each out in the transaction that writes the state.
type Effects uint

// The effects of a transition.
const (
	// EffectSlots gives the run its slot jobs.
	EffectSlots Effects = 1 << iota
	// EffectDropLeases ends every slot's right to commit at once and returns its work.
	EffectDropLeases
	// EffectFinish enqueues the job that exports and ends the run.
	EffectFinish
	// EffectRetryFailed makes failed run tasks and requests pending again.
	EffectRetryFailed
	// EffectAbortTasks ends every unfinished run task as aborted.
	EffectAbortTasks
)

// RunTaskStatus is the state of one task within one run.
type RunTaskStatus string

// The states of a run task.
const (
	RunTaskPending   RunTaskStatus = "pending"
	RunTaskRunning   RunTaskStatus = "running"
	RunTaskCompleted RunTaskStatus = "completed"
	RunTaskAborted   RunTaskStatus = "aborted"
	RunTaskError     RunTaskStatus = "error"
)

// The done reasons of a run task.
const (
	TaskCompleted  = "completed"
	TaskRunAborted = "run_aborted"
	TaskNoResults  = "no_results"
	TaskMaxResults = "max_results"
	TaskFetchSince = "fetch_since"
	TaskError      = "error"
)

// RunTask is one task within one run.
type RunTask struct {
	RunPK          int64
	RunID          RunID
	Seq            int64 // 1..n in the run
	TaskID         TaskID
	Params         []byte // JSON as it was when the run started
	Status         RunTaskStatus
	DoneReason     string
	DoneReasonDesc string
	StartedAt      time.Time
	EndedAt        time.Time
	TotalResults   int64
	TotalPages     int64
	LastAt         time.Time // last collection
}

// EventKind classes an entry of a run's history.
type EventKind string

// The kinds of events.
const (
	// EventStatus: the run changed its state; the payload is StatusPayload.
	EventStatus EventKind = "status"
	// EventRequest: one request ended; the payload is RequestLog.
	EventRequest EventKind = "request"
	// EventNote: something a person should know; the payload is NotePayload.
	EventNote EventKind = "note"
)

// Event is one entry of a run's history: dense Seq from 1, feeding the event
// stream, the log and the timeline.
type Event struct {
	RunPK   int64
	Seq     int64
	Kind    EventKind
	At      time.Time
	Actor   string // "user", "engine", "schedule", …
	Payload []byte // JSON
}

// StatusPayload is the payload of an EventStatus.
type StatusPayload struct {
	From   RunStatus  `json:"from,omitempty"`
	Status RunStatus  `json:"status"`
	Reason DoneReason `json:"done_reason,omitempty"`
	Desc   string     `json:"done_reason_desc,omitempty"`
}

// NotePayload is the payload of an EventNote.
type NotePayload struct {
	Level   string `json:"level"` // info, warning or error
	Message string `json:"message"`
}

// RequestLog is the payload of an EventRequest.
type RequestLog struct {
	Task    int64  `json:"task"` // run task sequence
	URL     string `json:"url"`
	Status  int    `json:"status,omitempty"` // HTTP status, 0 when there was no answer
	Bytes   int64  `json:"bytes,omitempty"`
	Millis  int64  `json:"ms"`
	Results int    `json:"results"`
	Links   int    `json:"links,omitempty"`
	Attempt int    `json:"attempt,omitempty"` // from 2: which try succeeded or failed
	Error   string `json:"error,omitempty"`
	Retry   bool   `json:"retry,omitempty"` // it will be tried again
}

// RunLacks says why results may be lacking from a run that collects no more.
type RunLacks struct {
	TasksFailed    int64
	TasksCut       int64 // did not come to their end: the run was ended first
	TasksLimited   int64 // ended at a limit of results, of requests or of age, or by a rule with requests left
	RequestsFailed int64 // after all retries
}

// String returns the reasons as a phrase, "" when there are none.
func (l RunLacks) String() string {
	var why []string
	add := func(n int64, one, many string) {
		switch {
		case n == 1:
			why = append(why, one)
		case n > 1:
			why = append(why, fmt.Sprintf(many, n))
		}
	}
	add(l.TasksFailed, "a task failed", "%d tasks failed")
	add(l.TasksCut, "a task was cut short with the run", "%d tasks were cut short with the run")
	add(l.TasksLimited, "a task ended at a limit with more to find", "%d tasks ended at a limit with more to find")
	add(l.RequestsFailed, "a request failed", "%d requests failed")
	return strings.Join(why, ", ")
}
