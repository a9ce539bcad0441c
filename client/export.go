package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ExportForm says what a file of results looks like.
type ExportForm struct {
	Format        string   `json:"format"` // csv, json, jsonl, xlsx or parquet
	Fields        []string `json:"fields,omitempty"`
	Omit          []string `json:"omit,omitempty"`
	BOM           bool     `json:"bom,omitempty"`
	GuardFormulas bool     `json:"guard_formulas,omitempty"`
	Dotted        bool     `json:"dotted,omitempty"`
}

// Export is a file of a run's results, in whatever state it is.
type Export struct {
	ID    string `json:"id"`
	Run   string `json:"run"`
	State string `json:"state"` // pending, converting, done or error
	ExportForm
	Progress struct {
		Rows    int64  `json:"rows"`
		Total   *int64 `json:"total"` // nil: not known
		Percent int    `json:"percent"`
	} `json:"progress"`
	Error     string `json:"error"` // in state error
	Size      int64  `json:"size"`  // in state done
	URL       string `json:"url"`   // works in every state, without a key, for an hour
	CreatedAt Time   `json:"created_at"`
	UpdatedAt Time   `json:"updated_at"`
	UsedAt    Time   `json:"used_at"`
}

// Ended reports whether nothing more happens to the file by itself.
func (e *Export) Ended() bool { return e.State == "done" || e.State == "error" }

func exportPath(run, id string) string {
	p := "/runs/" + url.PathEscape(run) + "/exports"
	if id != "" {
		p += "/" + url.PathEscape(id)
	}
	return p
}

// MakeExport has a file of an ended run's results made in the background, once:
// one that is there already is returned as it is.
func (c *Client) MakeExport(ctx context.Context, run string, form ExportForm) (*Export, error) {
	var e Export
	return &e, c.do(ctx, http.MethodPost, exportPath(run, ""), nil, form, &e)
}

// Export returns a file of a run.
func (c *Client) Export(ctx context.Context, run, id string) (*Export, error) {
	var e Export
	return &e, c.do(ctx, http.MethodGet, exportPath(run, id), nil, nil, &e)
}

// Exports lists the files of a run.
func (c *Client) Exports(ctx context.Context, run string, w Window) (*Page[Export], error) {
	var p Page[Export]
	return &p, c.do(ctx, http.MethodGet, exportPath(run, ""), w.values(), nil, &p)
}

// DeleteExport deletes a file of a run; it can be made again.
func (c *Client) DeleteExport(ctx context.Context, run, id string) error {
	return c.do(ctx, http.MethodDelete, exportPath(run, id), nil, nil, nil)
}

// Fetch writes what a signed link leads to to w, without holding it in memory,
// and returns the number of bytes.
func (c *Client) Fetch(ctx context.Context, link string, w io.Writer) (int64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return 0, fmt.Errorf("download: %w", err)
	}
	return c.copy(req, w)
}
