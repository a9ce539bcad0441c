// Package client is a Go client of Shoal's /v1 API, which is wire-compatible
// with lobstr.io's. The command line's remote verbs and the end-to-end tests
// use it; it mirrors the wire and imports nothing else of Shoal.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Client speaks to one server with one API key. It is safe for concurrent use.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// New returns a client of the server at base (scheme and host, with or without
// "/v1") that authenticates with token. A nil h means http.DefaultClient.
func New(base, token string, h *http.Client) *Client {
	if h == nil {
		h = http.DefaultClient
	}
	base = strings.TrimSuffix(strings.TrimSuffix(base, "/"), "/v1")
	return &Client{base: base, token: token, http: h}
}

// Error is an answer of the API that is not a success.
type Error struct {
	Status  int
	Type    string
	Code    string
	Param   string
	Message string
}

// Error returns the server's sentence with the HTTP status.
func (e *Error) Error() string {
	if e.Param != "" {
		return fmt.Sprintf("%s (%s, HTTP %d, parameter %s)", e.Message, e.Code, e.Status, e.Param)
	}
	return fmt.Sprintf("%s (%s, HTTP %d)", e.Message, e.Code, e.Status)
}

// IsNotFound reports whether err is the API's 404.
func IsNotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound
}

// do sends one request and decodes a 2xx JSON answer into out (nil: dropped).
func (c *Client) do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.send(req, out)
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body io.Reader) (*http.Request, error) {
	u := c.base + "/v1" + path
	if len(query) > 0 {
		u += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, u, body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Token "+c.token)
	}
	return req, nil
}

func (c *Client) send(req *http.Request, out any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return c.noAnswer(req, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return errorOf(resp)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: read answer: %w", req.Method, req.URL.Path, err)
	}
	return nil
}

// ErrNoAnswer is that a server could not be reached or broke off before it answered.
var ErrNoAnswer = errors.New("no answer from the server")

// noAnswer says which server did not answer which request, and why.
func (c *Client) noAnswer(req *http.Request, err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // it names method and address once more
	}
	return fmt.Errorf("%w at %s to %s %s: %w", ErrNoAnswer, c.base, req.Method, req.URL.Path, err)
}

// errorOf reads the API's error, or makes one of an answer in another form
// (a proxy's page, a server that is not Shoal).
func errorOf(resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("read error answer: %w", err)
	}
	var wire struct {
		Error struct{ Message, Type, Param, Code string }
	}
	if json.Unmarshal(b, &wire) != nil || wire.Error.Message == "" {
		return &Error{Status: resp.StatusCode, Code: "Unknown",
			Message: "the server answered " + resp.Status + " without an error of the /v1 API; is this address a Shoal server?"}
	}
	return &Error{Status: resp.StatusCode, Type: wire.Error.Type, Code: wire.Error.Code,
		Param: wire.Error.Param, Message: wire.Error.Message}
}

// Page is one page of a list.
type Page[T any] struct {
	TotalResults int64   `json:"total_results"`
	Limit        int     `json:"limit"`
	Page         int     `json:"page"`
	TotalPages   int     `json:"total_pages"`
	Data         []T     `json:"data"`
	Next         *string `json:"next"`
	Previous     *string `json:"previous"`
}

// Window chooses a page of a list: Page from 1, Limit up to 100; zero values
// leave the server's defaults.
type Window struct{ Page, Limit int }

func (w Window) values() url.Values {
	q := url.Values{}
	if w.Page > 0 {
		q.Set("page", fmt.Sprint(w.Page))
	}
	if w.Limit > 0 {
		q.Set("limit", fmt.Sprint(w.Limit))
	}
	return q
}

// Time is a time of the wire: ISO 8601, UTC, microseconds, no zone suffix. The
// zero value stands for null.
type Time struct{ time.Time }

const wireTime = "2006-01-02T15:04:05.000000"

// UnmarshalJSON reads the wire's form or null.
func (t *Time) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	v, err := time.Parse(`"`+wireTime+`"`, string(b))
	if err != nil {
		return fmt.Errorf("time %s is not of the form %s", b, wireTime)
	}
	*t = Time{v}
	return nil
}

// MarshalJSON writes the wire's form, null for the zero value.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format(wireTime) + `"`), nil
}
