package shoal

import "time"

// MissedPolicy says what becomes of launches whose time passed while no server
// was running.
type MissedPolicy string

// The policies.
const (
	// MissedOnce launches once for all that was missed.
	MissedOnce MissedPolicy = "once"
	// MissedSkip leaves them out.
	MissedSkip MissedPolicy = "skip"
	// MissedAll makes up for each, one after the other, the newest MaxCatchUp.
	MissedAll MissedPolicy = "all"
)

// Valid reports whether p is one of the policies.
func (p MissedPolicy) Valid() bool { return p == MissedOnce || p == MissedSkip || p == MissedAll }

// MaxCatchUp is how many missed launches are made up for at most.
const MaxCatchUp = 24

// MaxJitter is the most by which launches may be spread.
const MaxJitter = time.Hour

// DueLaunch is a squid whose next launch is due.
type DueLaunch struct {
	SquidPK     int64
	SquidID     SquidID
	WorkspaceID WorkspaceID
	Cron        string
	Timezone    string
	// Plan names what the times were planned by; a claim repeats it.
	Plan   string
	Missed MissedPolicy
	Jitter time.Duration
	// Slot is the time by the expression, zero when it has yet to be found out;
	// DueAt is when it is launched.
	Slot, DueAt time.Time
	// BehindUntil is up to which slot launches are being made up for; zero: none.
	BehindUntil time.Time
}

// LaunchClaim takes a slot, for the transaction that launches or records it:
// of many servers one succeeds, the others get ErrLaunchTaken.
type LaunchClaim struct {
	Due DueLaunch // as it was read
	// Slot is the one that is taken: Due.Slot, or a later one that stands for
	// Missed earlier ones too.
	Slot   time.Time
	Missed int
	// Next, NextDue and BehindUntil are what the schedule is set to.
	Next, NextDue, BehindUntil time.Time
	// Message is a sentence for the history; empty: nothing to say.
	Message string
}

// LaunchOutcome says what became of a slot.
type LaunchOutcome string

// The outcomes.
const (
	// LaunchStarted: a run was made.
	LaunchStarted LaunchOutcome = "launched"
	// LaunchSkipped: the squid's last run was still under way.
	LaunchSkipped LaunchOutcome = "skipped"
	// LaunchMissed: no server was running, and the policy leaves it out.
	LaunchMissed LaunchOutcome = "missed"
	// LaunchFailed: no run could be made; the message says why.
	LaunchFailed LaunchOutcome = "failed"
)

// Launch is an entry of a schedule's history.
type Launch struct {
	Slot    time.Time // by the expression
	At      time.Time // when it was dealt with
	Outcome LaunchOutcome
	RunID   RunID  // empty: none
	Reason  string // code of the error, if one
	Message string // a sentence; empty when all went as it should
	Missed  int    // earlier slots that this entry stands for too
}

// ScheduledSquid is a squid with a schedule, and what became of its last slot.
type ScheduledSquid struct {
	Squid
	LastLaunch *Launch // nil: none yet
}

// ErrLaunchTaken is the error of who comes too late for a slot.
var ErrLaunchTaken = &Error{Kind: KindConflict, Code: "LaunchTaken", Message: "this launch was dealt with already, or its schedule was changed"}
