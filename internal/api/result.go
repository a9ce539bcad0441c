package api

import (
	"io"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"shoal"
	"shoal/internal/export"
)

// listResults answers with one page of results or, asked by Accept, streams
// the whole set as CSV or JSON lines.
func (a *API) listResults(c *call) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	if q.Has("cursor") || q.Has("ack") {
		return a.takeResults(c, q)
	}
	sel, err := c.selection(q)
	if err != nil {
		return err
	}
	if f := acceptedFormat(c.r.Header["Accept"]); f != "" {
		return c.streamResults(sel, f)
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	var l shoal.Listing[shoal.Result]
	if sel.unique && sel.query.Squid != "" {
		l, err = uniquePage(sel.rows(c), w)
	} else {
		l, err = a.store.Results(c.ctx(), sel.query, w)
	}
	if err != nil {
		return err
	}
	return c.sendResults(l, w, export.NewObject(sel.cols))
}

func (c *call) sendResults(l shoal.Listing[shoal.Result], w shoal.Window, object *export.Object) error {
	b, err := appendResults(append(c.buf[:0], '{'), &l, w, object)
	if err != nil {
		return err
	}
	c.buf = c.appendNeighbours(b, l.Total, w)
	return c.send(http.StatusOK, c.buf)
}

// appendResults appends the envelope with its list of results, from after its
// opening brace to the list's closing bracket.
func appendResults(b []byte, l *shoal.Listing[shoal.Result], w shoal.Window, object *export.Object) ([]byte, error) {
	b = appendEnvelope(b, l.Total, w, len(l.Items))
	for i := range l.Items {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = object.Append(b, &l.Items[i]); err != nil {
			return b, err
		}
	}
	return append(b, ']'), nil
}

// selection is what of which results is wanted.
type selection struct {
	query  shoal.ResultQuery
	cols   export.Columns
	unique bool
	name   string // for a file
}

// selection reads and checks squid or run, task, fields, omit and unique.
func (c *call) selection(q url.Values) (selection, error) {
	var sel selection
	var err error
	if sel.query, err = c.whose(q); err != nil {
		return sel, err
	}
	if sel.unique, err = boolean(q, "unique"); err != nil {
		return sel, err
	}
	from, err := c.source(&sel)
	if err != nil {
		return sel, err
	}
	sel.cols.Select, sel.cols.Omit = names(q, "fields"), names(q, "omit")
	return sel, c.columns(&sel.cols, from)
}

// whose reads squid or run, and task. A task alone stands for itself within its
// squid: the Python SDK asks so.
func (c *call) whose(q url.Values) (rq shoal.ResultQuery, err error) {
	rq.Workspace = c.ws
	if q.Has("squid") && q.Has("run") {
		return rq, shoal.Invalid("MultipleParamsNeeded", "squid,run", "Give either squid or run, not both")
	}
	if rq.Squid, err = idParam[shoal.SquidID](q, "squid", shoal.ErrSquidNotFound); err != nil {
		return rq, err
	}
	if rq.Run, err = idParam[shoal.RunID](q, "run", shoal.ErrRunNotFound); err != nil {
		return rq, err
	}
	if rq.Task, err = idParam[shoal.TaskID](q, "task", shoal.ErrTaskNotFound); err != nil {
		return rq, err
	}
	switch {
	case rq.Squid != "" || rq.Run != "":
	case q.Has("squid") || q.Has("run"):
		err = shoal.Invalid("ParamsNeeded", "squid,run", "squid and run must not be empty")
	case rq.Task == "":
		err = shoal.Invalid("ParamsNeeded", "squid,run", "Give squid or run: whose results are wanted")
	default:
		var t shoal.Task
		t, err = c.a.store.Task(c.ctx(), c.ws, rq.Task)
		rq.Squid = t.SquidID
	}
	return rq, err
}

// source is what results are of: a run, whose crawler's version says their
// fields, or a squid, whose crawler's present version does.
type source struct {
	run   *shoal.Run
	squid *shoal.Squid
}

// source checks that the squid or run exists.
func (c *call) source(sel *selection) (source, error) {
	if sel.query.Run != "" {
		r, err := c.a.store.Run(c.ctx(), c.ws, sel.query.Run)
		if err == nil && !r.ResultsRemovedAt.IsZero() {
			err = shoal.ErrResultsRemoved
		}
		sel.name = string(sel.query.Run)
		sel.cols.NoLineBreaks = r.Settings.NoLineBreaks
		return source{run: &r}, err
	}
	s, err := c.a.store.Squid(c.ctx(), c.ws, sel.query.Squid)
	sel.name = string(sel.query.Squid)
	sel.cols.NoLineBreaks = s.NoLineBreaks
	return source{squid: &s}, err
}

// columns fills in the crawler's fields and refuses names that it has not.
func (c *call) columns(cols *export.Columns, from source) error {
	p, err := c.programOf(from)
	if err != nil {
		// The crawler is gone; its results are not. Nothing can be checked.
		if shoal.KindOf(err) == shoal.KindNotFound {
			return nil
		}
		return err
	}
	known := map[string]bool{}
	cols.Attributes = p.Info().Result
	if from.squid != nil && (!plainColumns(cols) || acceptedFormat(c.r.Header["Accept"]) == shoal.FormatCSV) {
		if cols.Attributes, err = c.attributesOfAll(from.squid, cols.Attributes); err != nil {
			return err
		}
	}
	for i := range cols.Attributes {
		known[cols.Attributes[i].Name] = true
	}
	for _, name := range export.Envelope() {
		known[name] = true
	}
	for key, list := range map[string][]string{"fields": cols.Select, "omit": cols.Omit} {
		for _, name := range list {
			member, _, nested := strings.Cut(name, ".")
			if !known[name] && !(nested && cols.Dotted && known[member]) {
				return shoal.Invalid("InvalidParameterValue", key, "%s names %q, which is no field of these results", key, clip(name, 60))
			}
		}
	}
	return nil
}

func plainColumns(cols *export.Columns) bool { return len(cols.Select) == 0 && len(cols.Omit) == 0 }

// attributesOfAll adds to the fields of a squid's crawler those that only earlier
// versions of it had, by which some of its results were collected.
func (c *call) attributesOfAll(squid *shoal.Squid, present []shoal.Attribute) ([]shoal.Attribute, error) {
	versions, err := c.a.store.ResultVersions(c.ctx(), c.ws, squid.ID)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(present)
	for _, pk := range versions {
		p, err := c.a.catalogue.Version(c.ctx(), pk)
		if err != nil {
			continue // a definition that this program does not take any more
		}
		for _, at := range p.Info().Result {
			if !slices.ContainsFunc(all, func(known shoal.Attribute) bool { return known.Name == at.Name }) {
				all = append(all, at)
			}
		}
	}
	return all, nil
}

// programOf finds the version of the crawler that says what fields results have.
func (c *call) programOf(from source) (Program, error) {
	if from.run == nil {
		return c.lookup(string(from.squid.CrawlerID))
	}
	p, err := c.a.catalogue.Version(c.ctx(), from.run.VersionPK)
	if err != nil { // a definition that this program does not take any more
		return c.lookup(string(from.run.CrawlerID))
	}
	return p, nil
}

func boolean(q url.Values, name string) (bool, error) {
	switch v := q.Get(name); v {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	default:
		return false, shoal.Invalid("InvalidParamType", name, "%s is %q; it must be true or false", name, clip(v, 40))
	}
}

func (sel *selection) rows(c *call) export.Rows {
	rows := export.Read(c.ctx(), c.a.store, sel.query)
	// Within a run rows are unique already.
	if sel.unique && sel.query.Squid != "" {
		rows = export.Unique(rows)
	}
	return rows
}

// uniquePage counts unique rows and keeps those of one page. Unlike other
// pages it reads the whole squid: which rows are repeats shows only then.
func uniquePage(rows iter.Seq2[*shoal.Result, error], w shoal.Window) (shoal.Listing[shoal.Result], error) {
	var l shoal.Listing[shoal.Result]
	for r, err := range rows {
		if err != nil {
			return l, err
		}
		if l.Total >= w.Offset() && len(l.Items) < w.Limit {
			l.Items = append(l.Items, *r)
		}
		l.Total++
	}
	return l, nil
}

// acceptedFormat returns the format that Accept asks for by name; "" for the
// JSON envelope.
func acceptedFormat(accept []string) shoal.Format {
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			typ, _, err := mime.ParseMediaType(item)
			switch {
			case err != nil:
			case typ == "application/json":
				return ""
			case typ == "text/csv":
				return shoal.FormatCSV
			case typ == "application/x-ndjson", typ == "application/jsonl":
				return shoal.FormatJSONL
			}
		}
	}
	return ""
}

// streamResults writes every row of the selection as it is read.
func (c *call) streamResults(sel selection, f shoal.Format) error {
	return c.streamFile(sel.name, f, func(w io.Writer) error {
		_, err := export.Write(c.ctx(), w, f, sel.cols, sel.rows(c))
		return err
	})
}
