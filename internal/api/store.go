package api

import (
	"context"
	"time"

	"shoal"
)

// What the API needs of the store, by noun. Every query of an owned thing
// carries its workspace; another workspace's id answers like one that never
// existed. Methods that create or change something save the answer of the
// request's idempotency key, when ctx has one (shoal.WithIdempotency), in
// their own transaction: Render is handed the value the method returns beside
// its error (shoal.AddedTasks for AddTasks, nil for a method that returns only
// an error). Two requests with one key at the same time: the later one's
// transaction fails and has no effect; the API then answers with the saved
// answer. Deletes answer at once; rows are purged behind.

// UserStore holds users, keys and balances.
type UserStore interface {
	// KeyByHash returns the key with this SHA-256; ErrKeyNotFound when there is
	// none, it is revoked or its user is not active. An expired one is returned:
	// the caller tells the person so.
	KeyByHash(ctx context.Context, hash [32]byte) (shoal.Key, error)
	User(ctx context.Context, ws shoal.WorkspaceID, id shoal.UserID) (shoal.User, error)
	Balance(ctx context.Context, ws shoal.WorkspaceID) (shoal.Balance, error)
	// Key, Keys and RevokeKey see the keys that the filter chooses, no others.
	Key(ctx context.Context, f shoal.KeyFilter, id shoal.KeyID) (shoal.Key, error)
	Keys(ctx context.Context, f shoal.KeyFilter, w shoal.Window) (shoal.Listing[shoal.Key], error)
	RevokeKey(ctx context.Context, f shoal.KeyFilter, id shoal.KeyID) error
	// CreateKey returns the key and its secret, which is kept nowhere.
	CreateKey(ctx context.Context, ws shoal.WorkspaceID, user shoal.UserID, name string, scope shoal.Scope, expires time.Time) (shoal.Key, string, error)
	// SavedAnswer returns the answer kept for an idempotency key of the last 24 h.
	SavedAnswer(ctx context.Context, ws shoal.WorkspaceID, route, key string) (shoal.SavedAnswer, bool, error)
}

// StaffStore is what members of staff see and do: all workspaces.
type StaffStore interface {
	Users(ctx context.Context, f shoal.UserFilter, w shoal.Window) (shoal.Listing[shoal.User], error)
	UserByID(ctx context.Context, id shoal.UserID) (shoal.User, error)
	UserByEmail(ctx context.Context, email string) (shoal.User, error)
	// AddUser creates a user with a first key; Conflict when the email is taken.
	AddUser(ctx context.Context, n shoal.NewUser) (shoal.AddedUser, error)
	// UpdateUser changes a user; Conflict for the last member of staff.
	UpdateUser(ctx context.Context, id shoal.UserID, p shoal.UserPatch) (shoal.User, error)
	Workspaces(ctx context.Context, w shoal.Window) (shoal.Listing[shoal.Workspace], error)
	Workspace(ctx context.Context, id shoal.WorkspaceID) (shoal.Workspace, error)
	RenameWorkspace(ctx context.Context, id shoal.WorkspaceID, name string) (shoal.Workspace, error)
	// Retention returns the rules of what is kept for how long, SetRetention changes
	// them, and RetentionDue returns what they would remove now if they were changed
	// so.
	Retention(ctx context.Context) (shoal.Retention, error)
	SetRetention(ctx context.Context, c shoal.RetentionChange) error
	RetentionDue(ctx context.Context, c shoal.RetentionChange) (shoal.RetentionDue, error)
}

// BillingStore holds plans, credits and invoices; all but the caller's own usage,
// movements and invoices are for members of staff.
type BillingStore interface {
	// CrawlerUsage and SquidUsage return what each crawler or squid cost a
	// workspace from the day of since on, the dearest first. A deleted squid is
	// told for 30 days.
	CrawlerUsage(ctx context.Context, ws shoal.WorkspaceID, since time.Time) ([]shoal.Usage, error)
	SquidUsage(ctx context.Context, ws shoal.WorkspaceID, since time.Time) ([]shoal.Usage, error)
	// RunsUsage returns what some runs cost, and SquidCost what all of a squid did.
	RunsUsage(ctx context.Context, ws shoal.WorkspaceID, runs []shoal.Run) (map[shoal.RunID]shoal.Usage, error)
	SquidCost(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID) (credits shoal.Credits, results int64, err error)
	// CreditEntries lists the movements of credits that are no consumption, newest first.
	CreditEntries(ctx context.Context, ws shoal.WorkspaceID, w shoal.Window) (shoal.Listing[shoal.CreditEntry], error)

	Plans(ctx context.Context, w shoal.Window) (shoal.Listing[shoal.Plan], error)
	// Plan, UpdatePlan and DeletePlan take an id or a name. A changed plan reaches
	// its workspaces with their next period. Conflict PlanInUse when workspaces
	// are on a plan to delete, DuplicatePlan when there is one of the name.
	Plan(ctx context.Context, idOrName string) (shoal.Plan, error)
	CreatePlan(ctx context.Context, p shoal.Plan) (shoal.Plan, error)
	UpdatePlan(ctx context.Context, idOrName string, change func(p *shoal.Plan) error) (shoal.Plan, error)
	DeletePlan(ctx context.Context, idOrName string) (shoal.Plan, error)
	// AssignPlan puts a workspace on a plan: a period begins now, by the clock of zone.
	AssignPlan(ctx context.Context, ws shoal.WorkspaceID, plan shoal.PlanID, zone, actor string) (shoal.Balance, error)
	// GrantCredits adds to the bonus or, below zero, takes from what is unspent of it.
	GrantCredits(ctx context.Context, ws shoal.WorkspaceID, credits shoal.Credits, note, actor string) (shoal.Balance, error)

	CreateInvoice(ctx context.Context, i shoal.Invoice) (shoal.Invoice, error)
	// Invoices lists invoices, newest first; an empty ws is all workspaces.
	Invoices(ctx context.Context, ws shoal.WorkspaceID, unpaid bool, w shoal.Window) (shoal.Listing[shoal.Invoice], error)
	Invoice(ctx context.Context, id shoal.InvoiceID) (shoal.Invoice, error)
	// PayInvoice and CancelInvoice are a Conflict InvoiceClosed after the other one.
	PayInvoice(ctx context.Context, id shoal.InvoiceID) (shoal.Invoice, error)
	CancelInvoice(ctx context.Context, id shoal.InvoiceID) (shoal.Invoice, error)
}

// CrawlerStore holds the crawlers that a workspace made for itself.
type CrawlerStore interface {
	// Crawler returns the workspace's own crawler by id or slug; ErrCrawlerNotFound
	// for a shared one.
	Crawler(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (shoal.OwnCrawler, error)
	// CreateCrawler stores c as version 1. Conflict DuplicateModule when the
	// workspace has the slug, UsageLimitExceeded when it has too many.
	CreateCrawler(ctx context.Context, c shoal.OwnCrawler) (shoal.OwnCrawler, error)
	// UpdateCrawler makes c's definition the newest version; runs keep theirs.
	UpdateCrawler(ctx context.Context, c shoal.OwnCrawler) (shoal.OwnCrawler, error)
	// DeleteCrawler deletes a crawler; Conflict ModuleInUse while squids use it.
	DeleteCrawler(ctx context.Context, ws shoal.WorkspaceID, id shoal.CrawlerID) error
	// CrawlerExists returns ErrCrawlerNotFound unless some workspace made it.
	CrawlerExists(ctx context.Context, id shoal.CrawlerID) error
	// CrawlerFlags returns what the operator says of crawlers, and FlagCrawler
	// says it; available clears it and wakes the runs that waited for that.
	CrawlerFlags(ctx context.Context) (map[shoal.CrawlerID]shoal.CrawlerFlag, error)
	FlagCrawler(ctx context.Context, f shoal.CrawlerFlag) error
}

// SquidStore holds squids.
type SquidStore interface {
	// CreateSquid stores s (ID, WorkspaceID, CrawlerID, CrawlerSlug, Name,
	// Concurrency, Params, Functions set). An empty name becomes
	// "<baseName> (N)", N being the first free number. DuplicateSquid when a
	// living squid of the workspace has the name.
	CreateSquid(ctx context.Context, s shoal.Squid, baseName string) (shoal.Squid, error)
	Squid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) (shoal.Squid, error)
	// Squids lists living squids, newest first, whose name contains name (any case).
	Squids(ctx context.Context, ws shoal.WorkspaceID, name string, w shoal.Window) (shoal.Listing[shoal.Squid], error)
	UpdateSquid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, p shoal.SquidPatch) (shoal.Squid, error)
	// SetDelivery changes where a squid's results go. set changes what is stored
	// and returns the channels that it has set; it may be called more than once.
	SetDelivery(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, set func(*shoal.DeliveryConfig) ([]shoal.Channel, error)) error
	// EmptySquid removes the squid's tasks of the type ("url", "params" or "" for
	// both) and their results, and returns how many tasks. A task is of type url
	// when its params have a "url".
	EmptySquid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, taskType string) (int64, error)
	// Schedules lists the squids that have a schedule, the next to launch first.
	Schedules(ctx context.Context, ws shoal.WorkspaceID, w shoal.Window) (shoal.Listing[shoal.ScheduledSquid], error)
	// Launches lists what became of a squid's scheduled launches, newest first.
	Launches(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, w shoal.Window) (shoal.Listing[shoal.Launch], error)
	DeleteSquid(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) error
	Chain(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) (shoal.Chain, error)
	// ChainInto returns the chain that leads to the squid; ErrChainNotFound.
	ChainInto(ctx context.Context, ws shoal.WorkspaceID, target shoal.SquidID) (shoal.Chain, error)
	// LastHandover returns the newest hand-over of a squid's runs; ErrRunNotFound.
	LastHandover(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID) (shoal.Handover, error)
	// SetChain creates or, with replace, replaces the squid's chain. Without
	// replace an existing one is a Conflict.
	SetChain(ctx context.Context, ws shoal.WorkspaceID, c shoal.Chain, replace bool) error
	DeleteChain(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) error
}

// TaskStore holds tasks and uploads.
type TaskStore interface {
	// AddTasks adds the tasks that the squid does not have and returns them in
	// order, with the number left out as duplicates.
	AddTasks(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, tasks []shoal.NewTask) (added []shoal.Task, duplicates int, err error)
	// Tasks lists living tasks, newest first; taskType as in EmptySquid.
	Tasks(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, taskType string, w shoal.Window) (shoal.Listing[shoal.Task], error)
	Task(ctx context.Context, ws shoal.WorkspaceID, id shoal.TaskID) (shoal.Task, error)
	DeleteTask(ctx context.Context, ws shoal.WorkspaceID, id shoal.TaskID) error
	// CreateUpload records an uploaded file and enqueues its import.
	CreateUpload(ctx context.Context, u shoal.TaskUpload) error
	Upload(ctx context.Context, ws shoal.WorkspaceID, id shoal.UploadID) (shoal.TaskUpload, error)
	// UploadByID is Upload for the import job, which has no caller.
	UploadByID(ctx context.Context, id shoal.UploadID) (shoal.TaskUpload, error)
	// ImportTasks adds tasks and moves the upload to state u in one transaction;
	// it returns how many were new. u.Inserted and u.Duplicates are those from
	// before the call: the store adds to them what the call brought about. A
	// repeat after a kill adds nothing twice.
	ImportTasks(ctx context.Context, u shoal.TaskUpload, tasks []shoal.NewTask) (inserted int, err error)
}

// RunStore reads runs; internal/runs changes them.
type RunStore interface {
	Run(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID) (shoal.Run, error)
	// SharedRun returns a run whose results are public, whoever asks.
	SharedRun(ctx context.Context, id shoal.RunID) (shoal.Run, error)
	// Runs lists runs, newest first, of one squid or, when squid is empty, of the workspace.
	Runs(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, w shoal.Window) (shoal.Listing[shoal.Run], error)
	RunTasks(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, w shoal.Window) (shoal.Listing[shoal.RunTask], error)
	// Events returns events of a run with Seq > after, oldest first, of the given kinds (none: all).
	Events(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, after int64, limit int, kinds ...shoal.EventKind) ([]shoal.Event, error)
	// RunLog lists all that happened to a run, newest first.
	RunLog(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, w shoal.Window) (shoal.Listing[shoal.Event], error)
	// RunTimeline lists the changes of a run's state, oldest first.
	RunTimeline(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID, w shoal.Window) (shoal.Listing[shoal.Event], error)
	// RunCredits returns what each function of a run cost, highest first.
	RunCredits(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID) ([]shoal.FunctionCredits, error)
	// DeleteRun deletes an ended run with its results; Conflict while it is active.
	DeleteRun(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID) error
	// WaitRun returns when the run's status or, with progress, any counter has
	// changed since the caller saw seen, or ctx ends. On PostgreSQL it looks
	// once a second.
	WaitRun(ctx context.Context, id shoal.RunID, seen shoal.Run, progress bool) (shoal.Run, error)
}

// ResultStore reads results.
type ResultStore interface {
	// Results returns one page of the results of q.Squid or q.Run, oldest first.
	// Page 10,000 costs what page 1 costs.
	Results(ctx context.Context, q shoal.ResultQuery, w shoal.Window) (shoal.Listing[shoal.Result], error)
	// ReadResults returns the next rows of q (keyset).
	ReadResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error)
	// ResultVersions returns the versions of the crawler (shoal.Run.VersionPK) by
	// which a squid's results were collected, the newest first.
	ResultVersions(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID) ([]int64, error)
	// ScanResults and ResultsAt are what changes.Source says.
	ScanResults(ctx context.Context, q shoal.ResultQuery) ([]shoal.Result, error)
	ResultsAt(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, keys []int64) (map[int64]*shoal.Result, error)
	// RunLacks is what changes.Source says.
	RunLacks(ctx context.Context, r *shoal.Run) (shoal.RunLacks, error)
	// RunBefore returns the newest run of r's squid before r that collected
	// completely; else nil and the newest that has ended at all, if there is one.
	RunBefore(ctx context.Context, r *shoal.Run) (complete, ended *shoal.Run, err error)
}

// CursorStore holds how far consumers have come with the results of squids.
type CursorStore interface {
	// TakeResults acknowledges q.Ack and says which results the consumer gets
	// next; a cursor that does not exist is made, unless something is to be
	// acknowledged. ErrSquidNotFound, ErrCursorNotFound; Invalid for a token that
	// is not of the cursor as it is now.
	TakeResults(ctx context.Context, q shoal.CursorQuery) (shoal.Taken, error)
	// WaitResults returns when the squid has results behind the key after, or with
	// the error of ctx when that ends.
	WaitResults(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, after int64) error
	// Cursors lists a squid's cursors by name.
	Cursors(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, w shoal.Window) (shoal.Listing[shoal.Cursor], error)
	// SetCursor sets a cursor, made if it does not exist, to shoal.CursorBeginning,
	// shoal.CursorEnd or before a run of the squid; ErrRunNotFound.
	SetCursor(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, name, to string) (shoal.Cursor, error)
	// DeleteCursor deletes a cursor; ErrCursorNotFound.
	DeleteCursor(ctx context.Context, ws shoal.WorkspaceID, squid shoal.SquidID, name string) error
}

// AccountStore holds accounts and synchronizations.
type AccountStore interface {
	Sync(ctx context.Context, ws shoal.WorkspaceID, id shoal.SyncID) (shoal.Sync, error)
	Accounts(ctx context.Context, ws shoal.WorkspaceID, w shoal.Window) (shoal.Listing[shoal.Account], error)
	Account(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID) (shoal.Account, error)
	UpdateAccount(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID, params map[string]int64) (shoal.Account, error)
	DeleteAccount(ctx context.Context, ws shoal.WorkspaceID, id shoal.AccountID) error
}

// DeliveryStore holds the delivery log.
type DeliveryStore interface {
	// Deliveries lists deliveries, newest first. ErrRunNotFound and
	// ErrSquidNotFound when the filter names what the workspace does not have.
	Deliveries(ctx context.Context, ws shoal.WorkspaceID, f shoal.DeliveryFilter, w shoal.Window) (shoal.Listing[shoal.Delivery], error)
	Delivery(ctx context.Context, ws shoal.WorkspaceID, id shoal.DeliveryID) (shoal.Delivery, error)
	// Redeliver sends a delivery again, under its own id, its attempts counted anew.
	Redeliver(ctx context.Context, ws shoal.WorkspaceID, id shoal.DeliveryID) (shoal.Delivery, error)
	// DeliveryTargets returns the channels of a squid that were ever used.
	DeliveryTargets(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID) ([]shoal.DeliveryTarget, error)
	// PauseTarget has what is for a channel wait until it is resumed.
	PauseTarget(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, c shoal.Channel) error
	// ResumeTarget lets a paused channel work again.
	ResumeTarget(ctx context.Context, ws shoal.WorkspaceID, id shoal.SquidID, c shoal.Channel) error
}

// ExportStore finds the files of runs.
type ExportStore interface {
	// ExportOf returns a complete file; ErrRunNotFound when there is none.
	ExportOf(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) (shoal.Export, error)
	// Exports returns the files of a run in whatever state they are, some dozens
	// at most, oldest first.
	Exports(ctx context.Context, ws shoal.WorkspaceID, run shoal.RunID) ([]shoal.Export, error)
	// UseExport notes that a file was read, and ForgetExport removes its row.
	UseExport(ctx context.Context, e *shoal.Export) error
	ForgetExport(ctx context.Context, run shoal.RunID, format shoal.Format, variant string) error
}

// Health says whether the store answers and its schema is current.
type Health interface {
	Ready(ctx context.Context) error
}

// Now is the clock; tests inject another.
type Now func() time.Time
