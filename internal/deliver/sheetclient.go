package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"golang.org/x/oauth2"

	"shoal/internal/safedial"
)

const (
	// sheetTimeout is how long a request that reads may take, sheetChange one that
	// writes: Google itself ends what takes it more than three minutes.
	sheetTimeout, sheetChange = 90 * time.Second, 190 * time.Second
	// sheetTries is how often a request is made that may have been lost on its way.
	sheetTries = 3
	// sheetPatience is for how long an attempt waits, in all, for Google's
	// per-minute quotas to be refilled; a test waits less, as somebody watches.
	sheetPatience     = 10 * time.Minute
	sheetTestPatience = 5 * time.Second
	// The first wait of a request that was refused for its number, and the longest.
	firstSheetWait, lastSheetWait = 500 * time.Millisecond, 64 * time.Second
	// maxSheetAnswer bounds an answer that is read as a whole, in bytes.
	maxSheetAnswer = 8 << 20
)

// errSheetAnswer says that an answer is larger than can be dealt with.
var errSheetAnswer = errors.New("the answer is larger than 8 MiB")

// spreadsheet is one spreadsheet by way of the Google Sheets API, version 4
// (https://developers.google.com/workspace/sheets/api/reference/rest). One
// goroutine uses it.
type spreadsheet struct {
	client    *http.Client
	address   string // of the spreadsheet in the API, without a slash at its end
	key       *GoogleKey
	userAgent string
	patience  time.Duration // what is left of it

	access *oauth2.Token
	within time.Duration // what the last request was given
}

// newSpreadsheet returns the spreadsheet of that id. endpoint is where the API
// is; empty: Google's.
func newSpreadsheet(dial Dial, endpoint, id string, key *GoogleKey, userAgent string, patience time.Duration) *spreadsheet {
	if endpoint == "" {
		endpoint = "https://sheets." + key.Universe
	}
	transport := newTransport(dial)
	transport.DisableKeepAlives = false
	return &spreadsheet{
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		key:    key, userAgent: userAgent, patience: patience,
		address: endpoint + "/v4/spreadsheets/" + url.PathEscape(id),
	}
}

func (s *spreadsheet) close() { s.client.CloseIdleConnections() }

// sheetCall is one request to the API.
type sheetCall struct {
	method string
	path   string // after the spreadsheet's address
	query  url.Values
	body   []byte // JSON or nil
	// once says that the request must not be made again when it may have been
	// done already.
	once bool
	// read takes the answer's body; nil: it is not wanted.
	read func(io.Reader) error
}

// sheetError is a refusal of the API, in its form
// (https://google.aip.dev/193).
type sheetError struct {
	code    int
	status  string // such as PERMISSION_DENIED
	reason  string // such as SERVICE_DISABLED, rateLimitExceeded
	message string
	after   time.Duration // Retry-After
}

func (e *sheetError) Error() string {
	return fmt.Sprintf("Google answered %d %s: %s", e.code, e.status, e.message)
}

// crowded reports whether the request was refused for the number of them.
func (e *sheetError) crowded() bool {
	switch e.reason {
	case "rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED":
		return true
	}
	return e.code == http.StatusTooManyRequests
}

// do makes the call, as often as is right.
func (s *spreadsheet) do(ctx context.Context, c sheetCall) error {
	wait, renewed := firstSheetWait, false
	for try := 1; ; {
		err := s.try(ctx, &c)
		if err == nil || ctx.Err() != nil {
			return err
		}
		refused, _ := errors.AsType[*sheetError](err)
		switch {
		case refused != nil && refused.code == http.StatusUnauthorized && !renewed:
			s.access, renewed = nil, true // it ended sooner than it said
			continue
		case refused != nil && refused.crowded():
		case c.once || try >= sheetTries || !passing(err):
			return err
		default:
			try++
		}
		pause := wait + rand.N(wait/4)
		if refused != nil {
			pause = max(pause, refused.after)
		}
		if pause > s.patience {
			return err
		}
		s.patience -= pause
		wait = min(2*wait, lastSheetWait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// passing reports whether another try at once may do better: the connection
// broke, or Google stumbled. Who was not there, or silent for long, will be so
// again.
func passing(err error) bool {
	if refused, ok := errors.AsType[*sheetError](err); ok {
		return refused.code >= 500
	}
	if _, ok := errors.AsType[*tokenError](err); ok {
		return false
	}
	unreached, ok := errors.AsType[*net.OpError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	_, forbidden := errors.AsType[*safedial.RefusedError](err)
	if ok && unreached.Op == "dial" || unknown || forbidden {
		return false
	}
	silent, ok := errors.AsType[net.Error](err)
	return !errors.Is(err, context.DeadlineExceeded) && !(ok && silent.Timeout())
}

// try makes the call once.
func (s *spreadsheet) try(ctx context.Context, c *sheetCall) error {
	if s.within = sheetTimeout; c.body != nil {
		s.within = sheetChange
	}
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	if s.access == nil || !s.access.Valid() {
		t, err := s.key.token(ctx, s.client)
		if err != nil {
			return err
		}
		s.access = t
	}
	req, err := http.NewRequestWithContext(ctx, c.method, s.address+c.path+"?"+c.query.Encode(), bytes.NewReader(c.body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("User-Agent", s.userAgent)
	req.Header.Set("Authorization", "Bearer "+s.access.AccessToken)
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return refusal(res)
	}
	if c.read == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxSheetAnswer))
		return err
	}
	return c.read(res.Body)
}

// refusal reads the API's error.
func refusal(res *http.Response) error {
	e := &sheetError{code: res.StatusCode}
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.after = time.Duration(min(seconds, 3600)) * time.Second
	}
	var body struct {
		Error struct {
			Status, Message string
			Errors, Details []struct{ Reason string }
		}
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil || json.Unmarshal(text, &body) != nil {
		return e // a page of some gateway
	}
	e.status, e.message = clip(body.Error.Status, 60), clip(body.Error.Message, 300)
	for _, d := range append(body.Error.Details, body.Error.Errors...) {
		if e.reason == "" {
			e.reason = d.Reason
		}
	}
	return e
}

// into returns a reader of an answer that decodes it into v.
func into(v any) func(io.Reader) error {
	return func(r io.Reader) error {
		limited := &io.LimitedReader{R: r, N: maxSheetAnswer}
		err := json.NewDecoder(limited).Decode(v)
		if limited.N == 0 {
			return errSheetAnswer
		}
		if err != nil {
			return fmt.Errorf("read Google's answer: %w", err)
		}
		return nil
	}
}
