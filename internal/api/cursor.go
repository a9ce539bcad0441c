package api

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"shoal"
	"shoal/internal/export"
)

// maxTake is the most results in one JSON answer to a cursor. A stream has any number.
const maxTake = 1000

// takeResults answers a consumer that names its cursor with the results that it
// has not acknowledged. What is acknowledged is said by the token of the answer
// before, never by having asked: who dies with an answer in hand asks again.
func (a *API) takeResults(c *call, q url.Values) error {
	ask, err := c.cursorQuery(q)
	if err != nil {
		return err
	}
	sel, err := c.selection(q)
	if err != nil {
		return err
	}
	format := acceptedFormat(c.r.Header["Accept"])
	limit, most := 0, int(1e9)
	if format == "" {
		limit, most = defaultLimit, maxTake
	}
	name := "limit"
	if !q.Has(name) && q.Has("page_size") {
		name = "page_size"
	}
	if limit, err = whole(q, name, limit, 1, most); err != nil {
		return err
	}
	ask.Limit = int64(limit)
	taken, err := c.take(q, ask)
	if err != nil {
		return err
	}
	sel.query.After, sel.query.Upto = taken.After, taken.Upto
	if format != "" {
		return c.streamTaken(sel, format, &taken)
	}
	return c.sendTaken(sel, ask.Name, &taken, limit)
}

// cursorQuery reads which cursor is meant and what is acknowledged.
func (c *call) cursorQuery(q url.Values) (ask shoal.CursorQuery, err error) {
	ask.Workspace, ask.Name = c.ws, q.Get("cursor")
	if !q.Has("cursor") {
		return ask, shoal.Invalid("ParamsNeeded", "cursor", "ack acknowledges what a cursor gave: name the cursor, too")
	}
	if !shoal.ValidCursorName(ask.Name) {
		return ask, errCursorName("cursor", ask.Name)
	}
	for _, other := range []string{"run", "task", "page", "unique"} {
		if q.Has(other) {
			return ask, shoal.Invalid("InvalidParam", other,
				"cursor goes through all results of a squid in the order of their collection: give squid, and leave %s out", other)
		}
	}
	if ask.Squid, err = needID[shoal.SquidID](q, "squid", shoal.ErrSquidNotFound); err != nil {
		return ask, err
	}
	if token := q.Get("ack"); token != "" {
		mark, err := shoal.ParseCursorMark(token)
		if err != nil {
			return ask, err
		}
		ask.Ack = &mark
	}
	return ask, nil
}

func errCursorName(param, name string) error {
	return shoal.Invalid("InvalidParameterValue", param,
		"%s is %q; the name of a cursor has 1 to %d letters, digits, dots, dashes and underscores", param, clip(name, 40), shoal.MaxCursorName)
}

// take takes what there is. If that is nothing it waits for something for as long
// as the query says.
func (c *call) take(q url.Values, ask shoal.CursorQuery) (shoal.Taken, error) {
	seconds, err := whole(q, "wait", 0, 0, maxWait)
	if err != nil {
		return shoal.Taken{}, err
	}
	taken, err := c.a.store.TakeResults(c.ctx(), ask)
	if err != nil || taken.More || seconds == 0 || c.a.stopped() {
		return taken, err
	}
	c.longAnswer(time.Duration(seconds)*time.Second + writeGrace)
	ctx, cancel := c.a.untilStopping(c.ctx(), time.Duration(seconds)*time.Second)
	defer cancel()
	err = c.a.store.WaitResults(ctx, c.ws, ask.Squid, taken.Upto)
	// The key may have been revoked in the meantime.
	if refused := c.authenticate(); refused != nil && c.ctx().Err() == nil {
		return taken, refused
	}
	if err != nil && (ctx.Err() == nil || c.ctx().Err() != nil) {
		return taken, err
	}
	return c.a.store.TakeResults(c.ctx(), ask)
}

// sendTaken answers with the results in the envelope of lists: its total is what
// is not acknowledged, and next acknowledges this answer.
func (c *call) sendTaken(sel selection, name string, taken *shoal.Taken, limit int) error {
	l := shoal.Listing[shoal.Result]{Total: taken.Left}
	if taken.More {
		sel.query.Limit = limit
		var err error
		if l.Items, err = c.a.store.ReadResults(c.ctx(), sel.query); err != nil {
			return err
		}
		// The count may be older than the rows. None may be passed over.
		if n := len(l.Items); n == limit {
			taken.EndAt(&l.Items[n-1])
		}
	}
	left := max(0, taken.Left-int64(len(l.Items)))
	b := append(c.buf[:0], `{"cursor":`...)
	b = appendCursorMark(b, name, taken, left)
	b, err := appendResults(append(b, ','), &l, shoal.Window{Page: 1, Limit: limit}, export.NewObject(sel.cols))
	if err != nil {
		return err
	}
	b = append(b, `,"next":`...)
	if taken.More {
		b = appendString(b, c.ackURL(taken.Mark))
	} else {
		b = append(b, "null"...)
	}
	c.buf = append(b, `,"previous":null}`...)
	return c.send(http.StatusOK, c.buf)
}

func appendCursorMark(b []byte, name string, taken *shoal.Taken, left int64) []byte {
	b = append(b, `{"name":"`...)
	b = append(b, name...)
	b = append(b, `","ack":"`...)
	b = append(b, taken.Mark.String()...)
	b = append(b, `","left":`...)
	b = strconv.AppendInt(b, left, 10)
	b = append(b, `,"removed":`...)
	b = strconv.AppendInt(b, taken.Removed, 10)
	return append(b, '}')
}

// ackURL returns the request's own URL with another token.
func (c *call) ackURL(mark shoal.CursorMark) string {
	q, _ := url.ParseQuery(c.r.URL.RawQuery) // the handler has parsed it
	q.Set("ack", mark.String())
	return c.base() + c.r.URL.EscapedPath() + "?" + q.Encode()
}

// streamTaken answers with the results as a stream, and in headers with what the
// envelope says besides them.
func (c *call) streamTaken(sel selection, f shoal.Format, taken *shoal.Taken) error {
	h := c.w.Header()
	h["X-Shoal-Ack"] = []string{taken.Mark.String()}
	h["X-Shoal-Count"] = []string{strconv.FormatInt(taken.Count, 10)}
	h["X-Shoal-Left"] = []string{strconv.FormatInt(taken.Left-taken.Count, 10)}
	h["X-Shoal-Removed"] = []string{strconv.FormatInt(taken.Removed, 10)}
	return c.streamResults(sel, f)
}

// wireCursor is a cursor on the wire.
type wireCursor struct {
	Object    string `json:"object"`
	Name      string `json:"name"`
	Squid     string `json:"squid"`
	CreatedAt stamp  `json:"created_at"`
	AckedAt   stamp  `json:"acked_at"`
	Taken     int64  `json:"taken"`
	Left      int64  `json:"left"`
}

func appendCursor(b []byte, c *shoal.Cursor) []byte {
	return appendJSON(b, wireCursor{"cursor", c.Name, string(c.SquidID), stamp(c.CreatedAt), stamp(c.AckedAt), c.Taken, c.Left})
}

func (a *API) listCursors(c *call) error {
	id, err := id32[shoal.SquidID](c, shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	l, err := a.store.Cursors(c.ctx(), c.ws, id, w)
	if err != nil {
		return err
	}
	return sendList(c, l, w, appendCursor)
}

// setCursor makes a cursor, or sets one to another place.
func (a *API) setCursor(c *call) error {
	id, err := id32[shoal.SquidID](c, shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("name")
	name, to := f.text("name"), f.text("to")
	if err := f.error(); err != nil {
		return err
	}
	if !shoal.ValidCursorName(name) {
		return errCursorName("name", name)
	}
	switch {
	case to == "":
		to = shoal.CursorBeginning
	case to == shoal.CursorBeginning, to == shoal.CursorEnd, shoal.ValidID(to):
	default:
		return shoal.Invalid("InvalidParameterValue", "to", "to is %q; it must be beginning, end, or the id of a run of the squid", clip(to, 40))
	}
	ctx := effectCtx(c, http.StatusOK, func(set shoal.Cursor) []byte { return appendCursor(nil, &set) })
	set, err := a.store.SetCursor(ctx, c.ws, id, name, to)
	if err != nil {
		return err
	}
	c.buf = appendCursor(c.buf[:0], &set)
	return c.send(http.StatusOK, c.buf)
}

func (a *API) deleteCursor(c *call) error {
	id, err := id32[shoal.SquidID](c, shoal.ErrSquidNotFound)
	if err != nil {
		return err
	}
	name := c.r.PathValue("name")
	if !shoal.ValidCursorName(name) {
		return shoal.ErrCursorNotFound
	}
	if err := a.store.DeleteCursor(c.ctx(), c.ws, id, name); err != nil {
		return err
	}
	return c.json(http.StatusOK, struct {
		Name    string `json:"name"`
		Object  string `json:"object"`
		Deleted bool   `json:"deleted"`
	}{name, "cursor", true})
}
