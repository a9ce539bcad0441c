package shoal

import "time"

// RetentionRule says for how many days something is kept; 0: no rule.
type RetentionRule struct {
	// Workspace or Squid is whose results the rule is for; neither: everybody's.
	Workspace WorkspaceID
	Squid     SquidID
	Name      string // of the workspace or squid
	Days      int    // after the end of the run
}

// Retention is what is kept for how long. Of several rules for the results of a
// squid the shortest holds.
type Retention struct {
	// FileDays is how long a file of results is kept after its last use. It can
	// be made again from the results. 0: for ever.
	FileDays int
	// Results are the rules there are for results.
	Results []RetentionRule
}

// RetentionChange changes a retention; nil leaves it as it is, 0 days take the
// rule away.
type RetentionChange struct {
	FileDays   *int
	ResultDays *int
	// Workspace or Squid is whose ResultDays are meant; neither: everybody's.
	Workspace WorkspaceID
	Squid     SquidID
}

// RetentionDue is what the rules would remove now.
type RetentionDue struct {
	Files, Bytes  int64
	Runs, Results int64 // ended runs, and the results that they stored
}

// ExpiredRuns names a squid of which runs have results that are kept no longer.
type ExpiredRuns struct {
	SquidPK int64
	Before  time.Time // those that ended before
	Days    int       // as the rule has it
}

// ErrResultsRemoved answers for the results of a run that were removed because
// they were old. The run and its counters are still there.
var ErrResultsRemoved = NotFound("ResultsRemoved", "run_hash",
	"The results of this run were removed because they were older than the retention policy keeps them; what the run counted is kept")
