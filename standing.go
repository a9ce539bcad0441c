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
	// TotalSlots are the plan's; 0: unlimited. UsedSlots are those that running
	// runs of the workspace hold; not counted when there is no limit.
	TotalSlots, UsedSlots int
	// ForceLaunch: the plan lets people start runs over its slots.
	ForceLaunch bool
	// Premium: the plan includes premium crawlers.
	Premium bool
	// Overdue is the oldest overdue invoice of the workspace's plan, and Fee that
	// of the run's crawler; nil: there is none.
	Overdue, Fee *Invoice
	// Accounts are those that are linked to the squid, by PK.
	Accounts []LinkedAccount
}

// Slots returns how many slots a run holds that asks for wanted.
func (st *Standing) Slots(wanted int) int {
	if wanted = max(1, wanted); st.TotalSlots > 0 {
		return min(wanted, st.TotalSlots)
	}
	return wanted
}

// Room reports whether the slots that a run asks for are free.
func (st *Standing) Room(wanted int) bool {
	return st.TotalSlots == 0 || st.UsedSlots+st.Slots(wanted) <= st.TotalSlots
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
