package shoal

import "time"

// Squid is a crawler with settings and tasks.
type Squid struct {
	// PK numbers the squid inside one installation; results and tasks are
	// keyed by PK<<40 | sequence.
	PK          int64
	ID          SquidID
	WorkspaceID WorkspaceID
	CrawlerID   CrawlerID
	CrawlerSlug string
	Name        string
	IsActive    bool
	Concurrency int
	ToComplete  bool
	// ExportUniqueResults leaves rows out of exports that a former run of the
	// squid already exported.
	ExportUniqueResults bool
	NoLineBreaks        bool
	RunNotify           string // "", "on_success" or "on_error"
	CronExpression      string // empty: not scheduled
	Timezone            string // IANA name of the schedule's zone
	MissedLaunches      MissedPolicy
	LaunchJitter        time.Duration // launches are spread over this
	// Params are the squid-level params as set, defaults not filled in, and
	// Functions the add-ons as set.
	Params    map[string]any
	Functions map[string]any
	Accounts  []AccountID
	Message   string
	CreatedAt time.Time
	UpdatedAt time.Time

	// What follows is kept by the store and read only.
	TaskCount   int64 // living tasks
	ActiveTasks int64 // living tasks that a run would take
	TotalRuns   int64
	// NextLaunchAt is when the schedule launches next; zero: no time is set.
	NextLaunchAt time.Time
	LastRun      *Run // newest run, nil before the first
	Delivery     DeliveryConfig
}

// IsReady reports whether the squid has a task to run.
func (s *Squid) IsReady() bool { return s.ActiveTasks > 0 }

// SquidPatch is a partial update; a nil field stays as it is. Params and
// Functions are the merged whole, as they shall be stored.
type SquidPatch struct {
	Name                *string
	IsActive            *bool
	Concurrency         *int
	ToComplete          *bool
	ExportUniqueResults *bool
	NoLineBreaks        *bool
	RunNotify           *string
	CronExpression      *string
	Timezone            *string
	MissedLaunches      *MissedPolicy
	LaunchJitter        *time.Duration
	Params              map[string]any
	Functions           map[string]any
	Accounts            *[]AccountID
}
