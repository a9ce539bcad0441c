package api

import (
	"context"
	"io"
	"time"

	"shoal"
	"shoal/internal/crawl"
	"shoal/internal/deliver"
)

// Store is everything the API needs of the store; the parts stand in store.go.
type Store interface {
	UserStore
	StaffStore
	BillingStore
	CrawlerStore
	SquidStore
	TaskStore
	RunStore
	ResultStore
	CursorStore
	AccountStore
	ExportStore
	DeliveryStore
	Health
}

// StartRun asks for a run of a squid.
type StartRun struct {
	Workspace   shoal.WorkspaceID
	Squid       shoal.SquidID
	Origin      shoal.Origin
	Actor       string
	ForceLaunch bool
}

// Runs changes runs. Every verb returns the run as the change left it;
// ErrRunNotFound when the workspace has none, a Conflict or Business error
// when the run's state does not allow it. The ctx of each carries the request's
// idempotency key to the store method that has the effect.
type Runs interface {
	// Start creates a run and starts it. Errors: RunInProgress, NoTasksPresent,
	// SquidNotReady (its message contains "not ready"), NotEnoughBalance,
	// SlotsLimitExceeded, ModuleUnavailable.
	Start(ctx context.Context, s StartRun) (shoal.Run, error)
	Pause(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, actor string) (shoal.Run, error)
	Resume(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, actor string) (shoal.Run, error)
	Abort(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, actor string) (shoal.Run, error)
	// Export makes the export file of an ended run anew.
	Export(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID) (shoal.Run, error)
	// WriteExport writes the run's results in the given form as they are read, and
	// returns how many rows it wrote.
	WriteExport(ctx context.Context, w io.Writer, r *shoal.Run, form shoal.ExportForm) (int64, error)
	// Want has a file of an ended run's results made in the background, unless it is
	// there or on its way; missing says that a complete one was found to be gone.
	Want(ctx context.Context, r *shoal.Run, form shoal.ExportForm, missing bool) (shoal.Export, error)
	// Share makes the run's results public by link, or private again.
	Share(ctx context.Context, ws shoal.WorkspaceID, id shoal.RunID, shared bool) (shoal.Run, error)
	// SquidSwitched ends the active run of a squid that was switched off.
	SquidSwitched(ctx context.Context, squid *shoal.Squid) error
	// Progress says how far r is: percent is 0..100 and 100 exactly when it has
	// ended; eta holds only if known. seen is an earlier look at r, for the
	// moving rate, or the zero Run.
	Progress(r, seen *shoal.Run, now time.Time) (percent int, eta time.Duration, known bool)
}

// Deliverer sends deliveries.
type Deliverer interface {
	// TestOf sends a test message of the workspace the way a delivery goes.
	// config is the channel's JSON. That the other side fails is an answer, not
	// an error.
	TestOf(ctx context.Context, ws shoal.WorkspaceID, c shoal.Channel, config []byte) deliver.Answer
}

// Catalogue knows the crawlers.
type Catalogue interface {
	// Lookup returns a crawler that the workspace may use, by id, slug or
	// lower-cased name; ErrCrawlerNotFound. An empty workspace may use the shared ones.
	Lookup(ctx context.Context, ws shoal.WorkspaceID, idOrSlug string) (Program, error)
	// List returns every crawler that the workspace may use, by slug.
	List(ctx context.Context, ws shoal.WorkspaceID) ([]shoal.Crawler, error)
	// AccountTypes lists the account types of the workspace's crawlers, the generic
	// one first.
	AccountTypes(ctx context.Context, ws shoal.WorkspaceID) ([]shoal.AccountType, error)
	// CheckAccount refuses a crawler whose account type another crawler than
	// except declares otherwise.
	CheckAccount(ctx context.Context, ws shoal.WorkspaceID, info *shoal.Crawler, except shoal.CrawlerID) error
	// Version returns a crawler as a run copied it; ErrCrawlerNotFound.
	Version(ctx context.Context, pk int64) (Program, error)
	// Compile compiles a definition that a client sent. The error is a
	// *shoal.Error that says with line and column what is wrong.
	Compile(src []byte) (Program, error)
}

// Trial is one task to try.
type Trial struct {
	Task, Params      map[string]any
	MaxRows, MaxPages int
}

// Program is a crawler that can check what it is given. Errors name the key.
type Program interface {
	Info() *shoal.Crawler
	// CheckParams returns the squid-level params and functions to store, of those
	// a client has set; a nil value takes a setting back to its default.
	CheckParams(params, functions map[string]any) (map[string]any, map[string]any, error)
	// CheckTask returns one task's params as canonical JSON, and its identity.
	CheckTask(params map[string]any) (canonical []byte, digest [16]byte, err error)
	// Try tries the crawler on one task now. The error is a *shoal.Error when the
	// task or the params are not what it takes; what the site does is in the report.
	Try(ctx context.Context, t Trial) (*crawl.Report, error)
}
