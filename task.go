package shoal

import "time"

// Task is one input of a squid. Key is squid PK<<40 | sequence.
type Task struct {
	Key       int64
	ID        TaskID
	SquidID   SquidID
	CrawlerID CrawlerID
	Params    map[string]any
	IsActive  bool
	CreatedAt time.Time
	// Last is the task's newest run task, nil before its first.
	Last *RunTask
}

// NewTask is a task to add. Params is canonical JSON (keys sorted, no
// insignificant space) and Digest the first 16 bytes of its SHA-256: the
// task's identity within its squid.
type NewTask struct {
	Params []byte
	Digest [16]byte
}

// AddedTasks is what a call that added tasks brought about: the tasks that are
// new, in the order given, and how many the squid already had. It is also what
// the store hands to Idempotency.Render for such a call.
type AddedTasks struct {
	Tasks      []Task
	Duplicates int
}

// UploadState is the phase of a task file's import.
type UploadState string

// The phases of an upload.
const (
	UploadPending  UploadState = "PENDING"
	UploadProgress UploadState = "PROGRESS"
	UploadSuccess  UploadState = "SUCCESS"
	UploadFailure  UploadState = "FAILURE"
)

// TaskUpload is a file of tasks on its way into a squid. Blob names the stored
// file; Line is the last line already imported, from which an interrupted import goes on.
type TaskUpload struct {
	ID          UploadID
	WorkspaceID WorkspaceID
	SquidID     SquidID
	State       UploadState
	Blob        string
	FileName    string
	Line        int64
	Valid       int64
	Inserted    int64
	Duplicates  int64
	Invalid     int64
	Errors      []UploadError // the first 100
	CreatedAt   time.Time
}

// UploadError is one row of an uploaded file that was refused, and why.
type UploadError struct {
	Line    int64  `json:"line"`
	Param   string `json:"param,omitempty"`
	Message string `json:"message"`
}
