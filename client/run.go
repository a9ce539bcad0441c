package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Run is one execution of a squid; the fields are the contract's.
type Run struct {
	ID                 string  `json:"id"`
	Object             string  `json:"object"`
	CreatedAt          Time    `json:"created_at"`
	StartedAt          Time    `json:"started_at"`
	EndedAt            Time    `json:"ended_at"`
	Duration           float64 `json:"duration"`
	CreditUsed         float64 `json:"credit_used"`
	Origin             string  `json:"origin"`
	Status             string  `json:"status"`
	TotalResults       int64   `json:"total_results"`
	TotalUniqueResults int64   `json:"total_unique_results"`
	ExportDone         bool    `json:"export_done"`
	ExportTime         Time    `json:"export_time"`
	DoneReason         *string `json:"done_reason"`
	DoneReasonDesc     *string `json:"done_reason_desc"`
	Squid              string  `json:"squid"`
	CrawlerID          string  `json:"crawler_id"`
	NextLaunchAt       Time    `json:"next_launch_at"`
	Shared             bool    `json:"shared"`
	IsDone             bool    `json:"is_done"`
	ForceLaunch        bool    `json:"force_launch"`
	ExportCount        int     `json:"export_count"`
	EmailDone          bool    `json:"email_done"`
	EmailTime          Time    `json:"email_time"`
	EmailVerification  *string `json:"email_verification"`
}

// Reason returns the done reason, "" when there is none.
func (r *Run) Reason() string { return deref(r.DoneReason) }

// Desc returns the sentence that explains the run's state, "" when there is none.
func (r *Run) Desc() string { return deref(r.DoneReasonDesc) }

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// RunStats is a run's live progress.
type RunStats struct {
	ID             string `json:"id"`
	Duration       string `json:"duration"`
	StartedAt      Time   `json:"started_at"`
	EndedAt        Time   `json:"ended_at"`
	IsDone         bool   `json:"is_done"`
	PercentDone    string `json:"percent_done"`
	ETA            string `json:"eta"`
	TotalRequests  int64  `json:"total_requests"`
	TotalTasks     int64  `json:"total_tasks"`
	TotalTasksDone int64  `json:"total_tasks_done"`
	TotalTasksLeft int64  `json:"total_tasks_left"`
	TotalResults   int64  `json:"total_results"`
	ResultsTotal   *int64 `json:"results_total"`
	ResultsDone    int64  `json:"results_done"`
	FailedRequests int64  `json:"failed_requests"`
	UpdatedAt      Time   `json:"updated_at"`
	// ResumesAt is when a paused run goes on by itself; zero: not by time.
	ResumesAt Time `json:"resumes_at"`
}

// LogEntry is one entry of a run's log.
type LogEntry map[string]any

// StartRun starts a run of a squid.
func (c *Client) StartRun(ctx context.Context, squid string) (*Run, error) {
	var r Run
	return &r, c.do(ctx, http.MethodPost, "/runs", nil, map[string]string{"squid": squid}, &r)
}

// Run returns a run.
func (c *Client) Run(ctx context.Context, id string) (*Run, error) {
	var r Run
	return &r, c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(id), nil, nil, &r)
}

// WaitRun returns a run when its status changes or wait (whole seconds) is over.
func (c *Client) WaitRun(ctx context.Context, id string, wait time.Duration) (*Run, error) {
	var r Run
	q := url.Values{"wait": {fmt.Sprint(int(wait.Seconds()))}}
	return &r, c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(id), q, nil, &r)
}

// Runs lists runs, newest first; squid "" lists those of the workspace.
func (c *Client) Runs(ctx context.Context, squid string, w Window) (*Page[Run], error) {
	q := w.values()
	if squid != "" {
		q.Set("squid", squid)
	}
	var p Page[Run]
	return &p, c.do(ctx, http.MethodGet, "/runs", q, nil, &p)
}

// RunStats returns a run's live progress.
func (c *Client) RunStats(ctx context.Context, id string) (*RunStats, error) {
	var s RunStats
	return &s, c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(id)+"/stats", nil, nil, &s)
}

// RunLog lists all that happened to a run, newest first.
func (c *Client) RunLog(ctx context.Context, id string, w Window) (*Page[LogEntry], error) {
	var p Page[LogEntry]
	return &p, c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(id)+"/log", w.values(), nil, &p)
}

// RunTimeline lists the changes of a run's state, oldest first.
func (c *Client) RunTimeline(ctx context.Context, id string, w Window) (*Page[LogEntry], error) {
	var p Page[LogEntry]
	return &p, c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(id)+"/timeline", w.values(), nil, &p)
}

// AbortRun ends a run; what it collected is exported.
func (c *Client) AbortRun(ctx context.Context, id string) (*Run, error) {
	return c.runVerb(ctx, id, "abort")
}

// PauseRun halts a run until ResumeRun.
func (c *Client) PauseRun(ctx context.Context, id string) (*Run, error) {
	return c.runVerb(ctx, id, "pause")
}

// ResumeRun lets a paused run go on.
func (c *Client) ResumeRun(ctx context.Context, id string) (*Run, error) {
	return c.runVerb(ctx, id, "resume")
}

// ExportRun makes a run's export file anew.
func (c *Client) ExportRun(ctx context.Context, id string) (*Run, error) {
	return c.runVerb(ctx, id, "export")
}

func (c *Client) runVerb(ctx context.Context, id, verb string) (*Run, error) {
	var r Run
	return &r, c.do(ctx, http.MethodPost, "/runs/"+url.PathEscape(id)+"/"+verb, nil, nil, &r)
}

// DeleteRun deletes an ended run and its results.
func (c *Client) DeleteRun(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/runs/"+url.PathEscape(id), nil, nil, nil)
}

// Download writes a run's results to w in the given format (csv, json,
// jsonl, xlsx, parquet) through a signed URL, without holding them in memory,
// and returns the number of bytes.
func (c *Client) Download(ctx context.Context, id, format string, fields []string, w io.Writer) (int64, error) {
	q := url.Values{"format": {format}}
	for _, f := range fields {
		q.Add("fields", f)
	}
	var link struct{ S3 string }
	if err := c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(id)+"/download", q, nil, &link); err != nil {
		return 0, err
	}
	return c.Fetch(ctx, link.S3, w)
}

// StreamResults writes the results collected so far to w as CSV (accept
// "text/csv") or JSON lines ("application/x-ndjson"); it needs no export file.
func (c *Client) StreamResults(ctx context.Context, run, accept string, w io.Writer) (int64, error) {
	req, err := c.request(ctx, http.MethodGet, "/results", url.Values{"run": {run}}, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Accept", accept)
	return c.copy(req, w)
}

func (c *Client) copy(req *http.Request, w io.Writer) (int64, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, fmt.Errorf("download: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, errorOf(resp)
	}
	n, err := io.Copy(w, resp.Body)
	if err != nil {
		return n, fmt.Errorf("download: %w", err)
	}
	return n, nil
}

// Row is one result: the crawler's fields beside id, object, squid, run, task
// and scraping_time.
type Row map[string]any

// Results returns one page of a run's results.
func (c *Client) Results(ctx context.Context, run string, w Window) (*Page[Row], error) {
	q := w.values()
	q.Set("run", run)
	var p Page[Row]
	return &p, c.do(ctx, http.MethodGet, "/results", q, nil, &p)
}
