package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// ChangesQuery says what changes of a run are asked for.
type ChangesQuery struct {
	// Since is the earlier run; "" or "previous": the newest that is done without a failed task.
	Since string
	// Kinds are those of new, changed and gone that are wanted; nil: all.
	Kinds []string
	// Fields are the fields whose change counts, nil: all; Omit are those whose
	// change does not.
	Fields, Omit []string
	Window
}

func (q *ChangesQuery) values() url.Values {
	v := q.Window.values()
	if q.Since != "" {
		v.Set("since", q.Since)
	}
	for name, list := range map[string][]string{"kind": q.Kinds, "fields": q.Fields, "omit": q.Omit} {
		if len(list) > 0 {
			v.Set(name, strings.Join(list, ","))
		}
	}
	return v
}

// Changes is a page of what differs between two runs.
type Changes struct {
	Page[Change]
	Run     ComparedRun  `json:"run"`
	Since   *ComparedRun `json:"since"` // nil: there is no earlier run, and all is new
	Summary struct {
		New     int64 `json:"new"`
		Changed int64 `json:"changed"`
		Gone    int64 `json:"gone"`
		Same    int64 `json:"same"`
	} `json:"summary"`
}

// ComparedRun is one of two runs that were compared.
type ComparedRun struct {
	ID        string   `json:"id"`
	Status    string   `json:"status"`
	CreatedAt Time     `json:"created_at"`
	Results   int64    `json:"results"`
	Complete  bool     `json:"complete"` // it is done, and left nothing out
	Lacks     string   `json:"lacks"`    // why it is not complete
	Key       []string `json:"key"`      // the fields that tell its rows from one another
}

// Change is one row that differs.
type Change struct {
	Object string                 `json:"object"`
	Kind   string                 `json:"kind"` // new, changed or gone
	Fields map[string]FieldChange `json:"fields"`
	Before Row                    `json:"before"` // nil: the row is new
	After  Row                    `json:"after"`  // nil: the row is gone
}

// FieldChange is a field of a changed row; nil is null.
type FieldChange struct {
	Before any `json:"before"`
	After  any `json:"after"`
}

// Changes returns a page of what differs between a run and an earlier one.
func (c *Client) Changes(ctx context.Context, run string, q ChangesQuery) (*Changes, error) {
	var p Changes
	return &p, c.do(ctx, http.MethodGet, "/runs/"+url.PathEscape(run)+"/changes", q.values(), nil, &p)
}

// DownloadChanges writes all that differs to w in a format of results, and
// returns the number of bytes.
func (c *Client) DownloadChanges(ctx context.Context, run string, q ChangesQuery, format string, w io.Writer) (int64, error) {
	q.Window = Window{}
	v := q.values()
	v.Set("format", format)
	req, err := c.request(ctx, http.MethodGet, "/runs/"+url.PathEscape(run)+"/changes", v, nil)
	if err != nil {
		return 0, err
	}
	return c.copy(req, w)
}
