package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Cursor is how far a consumer has come with a squid's results.
type Cursor struct {
	Object    string `json:"object"`
	Name      string `json:"name"`
	Squid     string `json:"squid"`
	CreatedAt Time   `json:"created_at"`
	AckedAt   Time   `json:"acked_at"`
	Taken     int64  `json:"taken"`
	Left      int64  `json:"left"`
}

// Take asks for what a consumer has not taken yet.
type Take struct {
	Squid string
	// Cursor names the consumer; its first call makes the cursor.
	Cursor string
	// Ack is the token of the answer before, whose results are stored by now; ""
	// asks for all that is not acknowledged.
	Ack string
	// Limit is how many results at most; 0: the server's default, of a stream all.
	Limit int
	// Wait is how long to wait for new results when there are none; whole
	// seconds, at most a minute.
	Wait   time.Duration
	Fields []string // nil: all
	Omit   []string
}

func (t *Take) values() url.Values {
	q := url.Values{"squid": {t.Squid}, "cursor": {t.Cursor}}
	if t.Ack != "" {
		q.Set("ack", t.Ack)
	}
	if t.Limit > 0 {
		q.Set("limit", strconv.Itoa(t.Limit))
	}
	if t.Wait > 0 {
		q.Set("wait", strconv.Itoa(int(t.Wait.Seconds())))
	}
	for _, f := range t.Fields {
		q.Add("fields", f)
	}
	for _, f := range t.Omit {
		q.Add("omit", f)
	}
	return q
}

// TakenRows are results for a consumer. Store them, then pass Cursor.Ack on with
// the next call.
type TakenRows struct {
	Page[Row]
	Cursor struct {
		Name    string `json:"name"`
		Ack     string `json:"ack"`
		Left    int64  `json:"left"`    // behind these
		Removed int64  `json:"removed"` // deleted ones that nobody gets
	} `json:"cursor"`
}

// TakeResults acknowledges t.Ack and returns the results behind it.
func (c *Client) TakeResults(ctx context.Context, t Take) (*TakenRows, error) {
	var rows TakenRows
	return &rows, c.do(ctx, http.MethodGet, "/results", t.values(), nil, &rows)
}

// TakenStream is results for a consumer as they are read. Store Body to its end,
// close it, then pass Ack on with the next call.
type TakenStream struct {
	Body    io.ReadCloser // an error before its end means that it is not whole
	Ack     string
	Count   int64 // results in Body
	Left    int64 // behind these
	Removed int64 // deleted ones that nobody gets
}

// StreamTaken acknowledges t.Ack and returns the results behind it as CSV (accept
// "text/csv") or JSON lines ("application/x-ndjson").
func (c *Client) StreamTaken(ctx context.Context, t Take, accept string) (*TakenStream, error) {
	req, err := c.request(ctx, http.MethodGet, "/results", t.values(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.noAnswer(req, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, errorOf(resp)
	}
	s := &TakenStream{Body: resp.Body, Ack: resp.Header.Get("X-Shoal-Ack")}
	for name, to := range map[string]*int64{"X-Shoal-Count": &s.Count, "X-Shoal-Left": &s.Left, "X-Shoal-Removed": &s.Removed} {
		if *to, err = strconv.ParseInt(resp.Header.Get(name), 10, 64); err != nil || s.Ack == "" {
			resp.Body.Close()
			return nil, fmt.Errorf("the server's answer lacks what it says to a cursor (%s): is it an older Shoal, or is there a proxy that drops headers?", name)
		}
	}
	return s, nil
}

// Cursors lists a squid's cursors by name.
func (c *Client) Cursors(ctx context.Context, squid string, w Window) (*Page[Cursor], error) {
	var p Page[Cursor]
	return &p, c.do(ctx, http.MethodGet, "/squids/"+url.PathEscape(squid)+"/cursors", w.values(), nil, &p)
}

// SetCursor makes a cursor, or sets one to a place: "beginning", "end" or the id
// of a run, before whose results it is then. Tokens from before are void.
func (c *Client) SetCursor(ctx context.Context, squid, name, to string) (*Cursor, error) {
	var set Cursor
	return &set, c.do(ctx, http.MethodPost, "/squids/"+url.PathEscape(squid)+"/cursors", nil, map[string]string{"name": name, "to": to}, &set)
}

// DeleteCursor forgets how far a consumer was.
func (c *Client) DeleteCursor(ctx context.Context, squid, name string) error {
	return c.do(ctx, http.MethodDelete, "/squids/"+url.PathEscape(squid)+"/cursors/"+url.PathEscape(name), nil, nil, nil)
}
