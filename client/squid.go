package client

import (
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
)

// Crawler is a catalogue entry.
type Crawler struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	Slug           string   `json:"slug"`
	Description    string   `json:"description"`
	IsPublic       bool     `json:"is_public"`
	IsAvailable    bool     `json:"is_available"`
	HasIssues      bool     `json:"has_issues"`
	Issue          string   `json:"issue"`
	MaxConcurrency int      `json:"max_concurrency"`
	CreditsPerRow  float64  `json:"credits_per_row"`
	Input          []Input  `json:"input,omitempty"`
	Result         []string `json:"result,omitempty"`
	Version        int      `json:"version,omitempty"`
	Definition     *string  `json:"definition,omitempty"` // the text of a crawler of one's own
}

// Input is one input of a crawler.
type Input struct {
	Name               string   `json:"name"`
	Type               string   `json:"type"`
	Level              string   `json:"level"`
	Required           bool     `json:"required"`
	Default            any      `json:"default"`
	Example            any      `json:"example"`
	Description        string   `json:"description"`
	Function           bool     `json:"function"`
	CreditsPerFunction *float64 `json:"credits_per_function"`
}

// Attribute is one field of a crawler's results.
type Attribute struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Example     any    `json:"example"`
	Function    any    `json:"function"`
	IsMain      bool   `json:"is_main"`
	Description string `json:"description"`
}

// Squid is a crawler with settings and tasks.
type Squid struct {
	ID                string         `json:"id"`
	Name              string         `json:"name"`
	Crawler           string         `json:"crawler"`
	CrawlerName       string         `json:"crawler_name"`
	CreatedAt         Time           `json:"created_at"`
	IsActive          bool           `json:"is_active"`
	IsReady           bool           `json:"is_ready"`
	Concurrency       int            `json:"concurrency"`
	Params            map[string]any `json:"params"`
	TotalRuns         int64          `json:"total_runs"`
	LastRun           *string        `json:"last_run"`
	LastRunStatus     *string        `json:"last_run_status"`
	LastRunDoneReason *string        `json:"last_run_done_reason"`
	Schedule          *Schedule      `json:"schedule"`       // nil: none
	ScheduleTime      *string        `json:"schedule_time"`  // in words
	NextLaunchAt      *Time          `json:"next_launch_at"` // nil: no time is set
	Message           *string        `json:"message"`
}

// Task is one input of a squid.
type Task struct {
	ID        string         `json:"id"`
	CreatedAt Time           `json:"created_at"`
	IsActive  bool           `json:"is_active"`
	Params    map[string]any `json:"params"`
}

// AddedTasks is what AddTasks made of its tasks.
type AddedTasks struct {
	DuplicatedCount int    `json:"duplicated_count"`
	Tasks           []Task `json:"tasks"`
}

// Upload is a file of tasks on its way into a squid.
type Upload struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Meta  *struct {
		Valid, Inserted, Duplicates, Invalid int64
	} `json:"meta"`
	Errors []struct {
		Line    int64
		Param   string
		Message string
	} `json:"errors"`
}

// Crawlers lists every crawler.
func (c *Client) Crawlers(ctx context.Context) (*Page[Crawler], error) {
	var p Page[Crawler]
	return &p, c.do(ctx, http.MethodGet, "/crawlers", nil, nil, &p)
}

// Crawler returns a crawler by id or slug, with its inputs and result fields.
func (c *Client) Crawler(ctx context.Context, idOrSlug string) (*Crawler, error) {
	var v Crawler
	return &v, c.do(ctx, http.MethodGet, "/crawlers/"+url.PathEscape(idOrSlug), nil, nil, &v)
}

// Attributes returns the fields of a crawler's results.
func (c *Client) Attributes(ctx context.Context, idOrSlug string) ([]Attribute, error) {
	var v struct{ Data []Attribute }
	err := c.do(ctx, http.MethodGet, "/crawlers/"+url.PathEscape(idOrSlug)+"/attributes", nil, nil, &v)
	return v.Data, err
}

// CreateSquid makes a squid of a crawler (id or slug); name may be empty.
func (c *Client) CreateSquid(ctx context.Context, crawler, name string) (*Squid, error) {
	in := map[string]string{"crawler": crawler}
	if name != "" {
		in["name"] = name
	}
	var s Squid
	return &s, c.do(ctx, http.MethodPost, "/squids", nil, in, &s)
}

// Squid returns a squid.
func (c *Client) Squid(ctx context.Context, id string) (*Squid, error) {
	var s Squid
	return &s, c.do(ctx, http.MethodGet, "/squids/"+url.PathEscape(id), nil, nil, &s)
}

// Squids lists squids, newest first, whose name contains name.
func (c *Client) Squids(ctx context.Context, name string, w Window) (*Page[Squid], error) {
	q := w.values()
	if name != "" {
		q.Set("name", name)
	}
	var p Page[Squid]
	return &p, c.do(ctx, http.MethodGet, "/squids", q, nil, &p)
}

// UpdateSquid changes the given fields of a squid.
func (c *Client) UpdateSquid(ctx context.Context, id string, changes map[string]any) error {
	return c.do(ctx, http.MethodPost, "/squids/"+url.PathEscape(id), nil, changes, nil)
}

// EmptySquid removes a squid's tasks of a type (url or params) and returns how many.
func (c *Client) EmptySquid(ctx context.Context, id, taskType string) (int64, error) {
	var v struct {
		DeletedCount int64 `json:"deleted_count"`
	}
	err := c.do(ctx, http.MethodPost, "/squids/"+url.PathEscape(id)+"/empty", nil, map[string]string{"type": taskType}, &v)
	return v.DeletedCount, err
}

// DeleteSquid deletes a squid with its tasks, runs and results.
func (c *Client) DeleteSquid(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/squids/"+url.PathEscape(id), nil, nil, nil)
}

// AddTasks adds tasks; those the squid already has are counted and left out.
func (c *Client) AddTasks(ctx context.Context, squid string, tasks []map[string]any) (*AddedTasks, error) {
	var v AddedTasks
	return &v, c.do(ctx, http.MethodPost, "/tasks", nil, map[string]any{"squid": squid, "tasks": tasks}, &v)
}

// Tasks lists a squid's tasks, newest first.
func (c *Client) Tasks(ctx context.Context, squid string, w Window) (*Page[Task], error) {
	q := w.values()
	q.Set("squid", squid)
	var p Page[Task]
	return &p, c.do(ctx, http.MethodGet, "/tasks", q, nil, &p)
}

// DeleteTask deletes a task.
func (c *Client) DeleteTask(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/tasks/"+url.PathEscape(id), nil, nil, nil)
}

// UploadTasks sends a CSV or TSV file of tasks, streaming it, and returns the upload's id.
func (c *Client) UploadTasks(ctx context.Context, squid, name string, file io.Reader) (string, error) {
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		pw.CloseWithError(writeUpload(form, squid, name, file))
	}()
	// The writer ends when the request has read it all or closed its body.
	defer func() { pr.Close(); <-sent }()
	req, err := c.request(ctx, http.MethodPost, "/tasks/upload", nil, pr)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	var v struct{ ID string }
	err = c.send(req, &v)
	return v.ID, err
}

func writeUpload(form *multipart.Writer, squid, name string, file io.Reader) error {
	if err := form.WriteField("squid", squid); err != nil {
		return err
	}
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, file); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return form.Close()
}

// Upload returns the state of an upload.
func (c *Client) Upload(ctx context.Context, id string) (*Upload, error) {
	var v Upload
	return &v, c.do(ctx, http.MethodGet, "/tasks/upload/"+url.PathEscape(id), nil, nil, &v)
}
