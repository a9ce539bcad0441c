package shoal

import "time"

// HandoverState is the phase of a hand-over.
type HandoverState string

// The phases of a hand-over.
const (
	// HandoverMoving: results are becoming tasks of the target.
	HandoverMoving HandoverState = "moving"
	// HandoverStarting: the target's run is to be started.
	HandoverStarting HandoverState = "starting"
	// HandoverWaiting: the target has a run that is under way; the next begins
	// when it has ended.
	HandoverWaiting HandoverState = "waiting"
	// HandoverEnded: the run has begun, or there is none.
	HandoverEnded HandoverState = "ended"
)

// Handover is what a finished run's chain does: its results become tasks of
// another squid, whose run then starts. It copies the chain as it was when the
// run ended.
type Handover struct {
	RunPK              int64
	RunID              RunID // the finished run
	WorkspaceID        WorkspaceID
	SquidID            SquidID // the finished run's
	Target             SquidID // empty: not known yet
	TargetCrawler      CrawlerID
	FieldMap           map[string]string
	Autostart          bool
	ClusterName        string
	ClusterConcurrency int
	State              HandoverState
	Cursor             int64 // key of the last result looked at
	LookedAt           int64 // results
	Added              int64 // tasks that the target lacked
	Duplicates         int64 // results whose task the target had
	Lacking            int64 // results without a value of a mapped field
	Invalid            int64 // results whose task the target's crawler refused
	FirstInvalid       string
	StartedRun         RunID // empty: none
	Message            string
	CreatedAt          time.Time
	EndedAt            time.Time // zero: not yet
}

// HandoverBatch is what one batch of results adds to a hand-over.
type HandoverBatch struct {
	Cursor       int64 // of its last result
	LookedAt     int64
	Tasks        []NewTask // may repeat each other
	Lacking      int64
	Invalid      int64
	FirstInvalid string
}

// ErrHandoverMoved is the error of who works on a state of a hand-over that is
// not its state any more.
var ErrHandoverMoved = &Error{Kind: KindConflict, Code: "HandoverMoved", Message: "another server has moved this hand-over on"}

// HandoverEnd is the end of hand-overs by the run that they lead to.
type HandoverEnd struct {
	Of RunID // the finished run whose hand-over asks for the new run
	// Said returns the sentence for a finished run's log; others of the same
	// target that waited end with it.
	Said func(Handover) string
}
