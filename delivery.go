package shoal

import (
	"slices"
	"time"
)

// Channel is a way that news of runs, and their results, leave Shoal.
type Channel string

// The channels.
const (
	ChannelWebhook  Channel = "webhook"
	ChannelEmail    Channel = "email"
	ChannelSlack    Channel = "slack"
	ChannelS3       Channel = "s3"
	ChannelSFTP     Channel = "sftp"
	ChannelSheet    Channel = "google_sheet"
	ChannelDatabase Channel = "database"
)

// Channels are all channels, in the order in which an event's deliveries are
// written.
var Channels = []Channel{ChannelWebhook, ChannelEmail, ChannelSlack, ChannelS3, ChannelSFTP, ChannelSheet, ChannelDatabase}

// Files reports whether the channel brings the run's file, and so has nothing
// to do when there is none.
func (c Channel) Files() bool {
	return c == ChannelS3 || c == ChannelSFTP || c == ChannelSheet || c == ChannelDatabase
}

// RunEvent names a change of a run that is told to the outside.
type RunEvent string

// The events. EventTest is that of a test message.
const (
	EventRunRunning RunEvent = "run.running"
	EventRunPaused  RunEvent = "run.paused"
	EventRunDone    RunEvent = "run.done"
	EventRunError   RunEvent = "run.error"
	EventRunAborted RunEvent = "run.aborted"
	EventTest       RunEvent = "test"
	// EventDeliveryPaused tells by one channel that another one is paused.
	EventDeliveryPaused RunEvent = "delivery.paused"
)

// RunEvents are the events that a channel may ask for.
var RunEvents = []RunEvent{EventRunRunning, EventRunPaused, EventRunDone, EventRunError, EventRunAborted}

// EventOf returns the event that entering the state is, "" when it is none.
func EventOf(s RunStatus) RunEvent {
	if s == RunPending || s == RunUploading {
		return ""
	}
	return RunEvent("run." + string(s))
}

// DeliveryConfig is where a squid's results go. Each channel is JSON exactly
// as the API took it, sealed at rest because it holds secrets; nil: not set.
type DeliveryConfig struct {
	Email       string
	Notify      bool
	NotifySince time.Time
	EmailAttach bool       // the results go with the mail, if they are small enough
	EmailForm   ExportForm // as what; without a format as CSV
	GoogleSheet []byte
	S3          []byte
	SFTP        []byte
	Webhook     []byte
	Slack       []byte
	Database    []byte
	// Wants are the events of each channel that is set and switched on: what can
	// be known of a sealed config without opening it. A channel that is set and
	// has no entry is switched off.
	Wants map[Channel][]RunEvent
}

// Part returns the channel's sealed config, nil for a channel that has none.
func (d *DeliveryConfig) Part(c Channel) *[]byte {
	switch c {
	case ChannelWebhook:
		return &d.Webhook
	case ChannelSlack:
		return &d.Slack
	case ChannelS3:
		return &d.S3
	case ChannelSFTP:
		return &d.SFTP
	case ChannelSheet:
		return &d.GoogleSheet
	case ChannelDatabase:
		return &d.Database
	}
	return nil
}

// Wanted returns the channels that an event goes to. notify is the squid's
// run_notify: it asks for an e-mail besides those that the delivery asks for.
func (d *DeliveryConfig) Wanted(e RunEvent, notify string) []Channel {
	var to []Channel
	for _, c := range Channels {
		switch {
		case c == ChannelEmail && d.wantsEmail(e, notify),
			c != ChannelEmail && slices.Contains(d.Wants[c], e):
			to = append(to, c)
		}
	}
	return to
}

func (d *DeliveryConfig) wantsEmail(e RunEvent, notify string) bool {
	ended := e == EventRunDone || e == EventRunError || e == EventRunAborted
	return d.Email != "" && d.Notify && ended ||
		notify == NotifyOnSuccess && e == EventRunDone || notify == NotifyOnError && e == EventRunError
}

// Alerts returns the channels that tell a person of a broken one.
func (d *DeliveryConfig) Alerts(notify string) []Channel {
	var to []Channel
	if d.Email != "" && d.Notify || notify != "" {
		to = append(to, ChannelEmail)
	}
	if len(d.Wants[ChannelSlack]) > 0 {
		to = append(to, ChannelSlack)
	}
	return to
}

// The values of a squid's run_notify besides "".
const (
	NotifyOnSuccess = "on_success"
	NotifyOnError   = "on_error"
)

// DeliveryStatus is the state of a delivery.
type DeliveryStatus string

// The states of a delivery.
const (
	// DeliveryPending: not yet accepted; it is tried when NextAt has come.
	DeliveryPending DeliveryStatus = "pending"
	// DeliveryDelivered: the other side has accepted it.
	DeliveryDelivered DeliveryStatus = "delivered"
	// DeliveryFailed: given up after its last attempt; Redeliver tries it anew.
	DeliveryFailed DeliveryStatus = "failed"
	// DeliveryCancelled: nobody wants it any more: the channel was taken away or
	// switched off, or its run deleted.
	DeliveryCancelled DeliveryStatus = "cancelled"
)

// Delivery is one event of a run on its way through one channel. Its ID is the
// same at every attempt, so that the other side can tell a repeat.
type Delivery struct {
	PK          int64
	ID          DeliveryID
	WorkspaceID WorkspaceID
	SquidPK     int64
	SquidID     SquidID
	RunID       RunID
	Event       RunEvent
	Channel     Channel
	Status      DeliveryStatus
	Payload     DeliveryPayload
	// Target says where the last attempt went, without secrets: a host, a
	// bucket, an address. Empty before the first.
	Target      string
	Attempts    int
	CreatedAt   time.Time // when the event happened
	LastAt      time.Time // last attempt
	NextAt      time.Time // next attempt, not before; zero unless pending
	DeliveredAt time.Time
	StatusCode  int    // of the last answer, 0 when there was none
	Detail      string // what the other side said, or why it was not reached
	Held        bool   // pending behind a target that is paused
}

// DeliveryPayload are the facts of the event, as they were then.
type DeliveryPayload struct {
	SquidName string     `json:"squid_name"`
	Status    RunStatus  `json:"status"`
	Reason    DoneReason `json:"done_reason,omitempty"`
	Desc      string     `json:"done_reason_desc,omitempty"`
	Results   int64      `json:"total_results"`
	Unique    int64      `json:"total_unique_results"`
	Exported  bool       `json:"export_done"`
	// Seconds of execution.
	Seconds float64 `json:"duration"`
}

// DeliveryWork is a delivery that its holder is to send now: the oldest of its
// target. Token fences what the holder records about it.
type DeliveryWork struct {
	Delivery
	Token  int64
	Config DeliveryConfig
	Notify string // the squid's run_notify
	Owner  string // e-mail address of the workspace's first user
}

// DeliveryOutcome is what became of an attempt.
type DeliveryOutcome struct {
	Status     DeliveryStatus // pending: again at NextAt
	NextAt     time.Time
	Target     string
	StatusCode int
	Detail     string
	// PauseTarget stops the target: nothing is sent to it until it is resumed.
	PauseTarget bool
	// Config, if not nil, is the channel's sealed config with what the attempt
	// learned (the pinned key of a host).
	Config []byte
}

// DeliveryTarget is one channel of one squid: deliveries to it go out in order.
type DeliveryTarget struct {
	Channel  Channel
	Failures int       // deliveries given up in a row
	PausedAt time.Time // zero: it works
	Why      string    // why it was paused
	Pending  int64
}

// DeliveryFilter chooses deliveries of a workspace; an empty field does not.
type DeliveryFilter struct {
	Run    RunID
	Squid  SquidID
	Status DeliveryStatus
}

// ErrDeliveryNotFound says that the workspace has no such delivery.
var ErrDeliveryNotFound = NotFound("DeliveryDoesNotExist", "delivery", "Delivery not found")

// Chain hands a finished run's results to another crawler as tasks.
type Chain struct {
	ID                 ChainID
	SquidID            SquidID
	TargetCrawler      CrawlerID
	TargetSquid        SquidID // empty until the first trigger
	FieldMap           map[string]string
	IsActive           bool
	Autostart          bool
	ClusterName        string
	ClusterConcurrency int
	CreatedAt          time.Time
}
