package shoal

import "time"

// Admission decides what becomes of a run that may be put to work, given how
// its workspace and squid stand. It is pure, and called again when the
// transaction is; after its error nothing is written.
type Admission func(r *Run, st *Standing, now time.Time) (Effects, error)

// Standing is what decides whether a run may work, as it stands in the
// transaction that would let it: nothing of it can change between the look and
// the decision.
type Standing struct {
	// SquidActive is the squid's switch.
	SquidActive bool
	// Credits are what the workspace can still spend; negative: unlimited.
	Credits Credits
}

// WakeCause names the paused runs whose cause is gone. Reasons is never empty;
// of the others, those that are set narrow it down.
type WakeCause struct {
	Reasons   []DoneReason
	Workspace WorkspaceID
	Crawler   CrawlerID
	Squid     SquidID
}

// PausedCrawler is a crawler for which runs of a workspace are paused.
type PausedCrawler struct {
	Workspace WorkspaceID
	Crawler   CrawlerID
}
