package shoal

import "time"

// Request is one entry of a run task's frontier.
type Request struct {
	// Seq orders the requests of a run; the store assigns it. 0 is the run
	// task's own first request, whose state is the run task's row.
	Seq int64
	// Digest is what makes two requests of a run task the same.
	Digest Digest
	URL    string
	// Page is the page kind of the definition that reads the answer.
	Page string
	// Depth counts the links followed from the task's first request.
	Depth int
	// Carry is a partial row, as JSON, that this request's page completes; nil if none.
	Carry []byte
	// Extra is what a plain GET has not: JSON of RequestExtra, nil for a plain GET.
	Extra []byte
	// Attempts counts the tries that ended without an answer worth keeping.
	Attempts int
}

// RequestExtra is what a request has besides its URL.
type RequestExtra struct {
	Method string            `json:"method,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
	// Vars are values that the definition hands from one page to a later one.
	Vars map[string]any `json:"vars,omitempty"`
}

// Lease is the right to commit pages of a run, held by one slot of one
// worker. Token is the fencing token: it grows with each holder, and a commit
// with an old one is refused with ErrFenced.
type Lease struct {
	RunPK int64
	RunID RunID
	Slot  int
	Owner string
	Token int64
}

// Work is one claimed request, with the run task it belongs to.
type Work struct {
	TaskSeq    int64
	TaskID     TaskID
	TaskParams []byte // JSON
	Request    Request
	// First is true for the run task's own request, whose URL the crawler
	// builds from TaskParams: Request then holds only Seq 0 and Attempts.
	First bool
	// TaskResults and TaskPages are what the run task has so far: rows
	// extracted, and requests ended. They bound it across restarts.
	TaskResults int64
	TaskPages   int64
}

// PageEnd says how a page's request ended.
type PageEnd int

// The ends of a request.
const (
	// PageDone: answered and read.
	PageDone PageEnd = iota
	// PageFailed: given up after its retries.
	PageFailed
	// PageReleased: not finished; it goes back to the frontier untouched (a
	// pause, an abort, the end of the slot's time).
	PageReleased
)

// Page is all that one fetched page caused: the unit of commit.
type Page struct {
	Lease   Lease
	TaskSeq int64
	// RequestSeq is the request's Seq; 0 is the run task's own.
	RequestSeq int64
	End        PageEnd
	// Unreached is true when a failed request failed by DNS, TCP, TLS or 5xx.
	Unreached bool
	Rows      []Row
	// Found are newly found requests; the store drops those already known.
	Found []Request
	// Urgent asks for a commit without waiting for more pages to share it with.
	Urgent bool
	// CloseTask ends the run task after this page with CloseReason
	// (TaskMaxResults, TaskFetchSince, …), leaving the rest of its frontier.
	CloseTask   bool
	CloseReason string
	// NoNewRows is how many such pages in a row, all of whose rows were known or
	// which had none, end the task; 0: none do. The runs count them, the store does not.
	NoNewRows int
	// Desc becomes the run task's done_reason_desc if the task ends with this
	// page; empty: the page has nothing to say to a person.
	Desc string
	// Use is what the page counts against the account that it was fetched with;
	// nil: it was fetched without, or no answer came.
	Use *PageUse
	Log RequestLog
	At  time.Time
}

// PageResult is what the store made of a page.
type PageResult struct {
	Stored     int   // rows that were new
	Duplicates int   // rows known to the run
	Found      int   // requests that were new
	TaskEnded  bool  // the run task has no more to do
	RunEnded   bool  // the run has no more to do; its finish job is enqueued
	RunPending int64 // requests and run tasks still to do in the run
}
