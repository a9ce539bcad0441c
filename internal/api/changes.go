package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"

	"shoal"
	"shoal/internal/changes"
	"shoal/internal/export"
)

// compared is the two runs of a request for changes, and what is asked of them.
type compared struct {
	newer    shoal.Run
	older    *shoal.Run // nil: there is none, and all is new
	key, was []string   // the key fields of newer and older
	kinds    []changes.Kind
	sel      changes.Selection
	result   *changes.Comparison
	// attributes are the fields of both runs' crawlers, the newer one's first.
	attributes []shoal.Attribute
}

// runChanges answers with what differs between a run and an earlier one of its
// squid: as a list, or asked by format or Accept as a file.
func (a *API) runChanges(c *call) (err error) {
	q, err := c.query()
	if err != nil {
		return err
	}
	form, file, err := c.changesForm(q)
	if err != nil {
		return err
	}
	w, err := window(q)
	if err != nil {
		return err
	}
	cmp, err := c.compare(q)
	if err != nil {
		return err
	}
	defer func() {
		if closed := cmp.result.Close(); err == nil {
			err = closed
		}
	}()
	if file {
		return c.sendChangesFile(cmp, form)
	}
	page, err := cmp.result.Page(c.ctx(), cmp.kinds, w.Offset(), w.Limit)
	if err != nil {
		return err
	}
	c.buf = append(c.buf[:0], '{')
	c.buf = append(cmp.appendHead(c.buf), ',')
	object := export.NewObject(export.Columns{})
	items := make([][]byte, len(page))
	for i := range page {
		if items[i], err = appendChange(nil, &page[i], object); err != nil {
			return err
		}
	}
	l := shoal.Listing[[]byte]{Total: cmp.result.Total(cmp.kinds), Items: items}
	return sendListAfter(c, l, w, func(b []byte, item *[]byte) []byte { return append(b, *item...) })
}

// changesForm reads which file is wanted, if one is.
func (c *call) changesForm(q url.Values) (form shoal.ExportForm, file bool, err error) {
	accepted := acceptedFormat(c.r.Header["Accept"])
	if !q.Has("format") && accepted == "" {
		return form, false, nil
	}
	options := url.Values{"format": {cmp.Or(q.Get("format"), string(accepted))}}
	for _, name := range []string{"bom", "guard_formulas", "dotted"} {
		if q.Has(name) {
			options.Set(name, q.Get(name))
		}
	}
	// fields and omit say what is compared: rows are given whole.
	form, err = exportForm(options)
	if err == nil {
		err = form.Validate()
	}
	return form, true, err
}

// compare finds the two runs and compares them.
func (c *call) compare(q url.Values) (*compared, error) {
	run, err := c.run()
	if err != nil {
		return nil, err
	}
	out := &compared{newer: run, sel: changes.Selection{Fields: names(q, "fields"), Omit: names(q, "omit")}}
	if out.kinds, err = kindsOf(q); err != nil {
		return nil, err
	}
	if err := collected(&run, "run_hash"); err != nil {
		return nil, err
	}
	if out.older, err = c.since(q, &run); err != nil {
		return nil, err
	}
	if err := c.comparable(out); err != nil {
		return nil, err
	}
	// A million rows take some seconds, and the list's total comes first.
	c.longAnswer(10*time.Minute + writeGrace)
	out.result, err = c.a.changes.Compare(c.ctx(), out.older, &out.newer, out.sel)
	return out, err
}

func kindsOf(q url.Values) ([]changes.Kind, error) {
	var kinds []changes.Kind
	for _, name := range names(q, "kind") {
		k, ok := changes.ParseKind(name)
		if !ok {
			return nil, shoal.Invalid("InvalidParameterValue", "kind", "kind is %q; it must be new, changed or gone, or several of them", clip(name, 40))
		}
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		return changes.Kinds, nil
	}
	slices.Sort(kinds)
	return kinds, nil
}

// collected refuses a run that may still collect: what it has not found yet would
// look gone.
func collected(r *shoal.Run, param string) error {
	if r.Status.Terminal() || r.Status == shoal.RunUploading {
		return nil
	}
	return shoal.Conflict("RunInProgress", param,
		"Run %s is %s and may still collect: what it has not found yet would look gone. Ask when it has ended", r.ID, r.Status)
}

// incomplete says why results may be lacking from a run, "" when none are: it is
// done, and no task left anything out.
func incomplete(r *shoal.Run, lacks shoal.RunLacks) string {
	why := lacks.String()
	if why == "" && r.Status != shoal.RunDone && (r.Status != shoal.RunUploading || r.Outcome != shoal.RunDone) {
		why = "it ended as " + string(cmp.Or(r.Outcome, r.Status))
	}
	return why
}

// since finds the earlier run: the one named, or the newest that is done
// without a failed task; nil when no run of the squid has ended before.
func (c *call) since(q url.Values, run *shoal.Run) (*shoal.Run, error) {
	name := q.Get("since")
	if name != "" && name != "previous" {
		return c.namedSince(name, run)
	}
	found, ended, err := c.a.store.RunBefore(c.ctx(), run)
	if err == nil && found == nil && ended != nil {
		err = shoal.Conflict("NoCompleteRun", "since",
			"None of the squid's earlier runs is done without a failed task. To compare with the last one that ended (%s) all the same, ask with since=%s", ended.Status, ended.ID)
	}
	return found, err
}

func (c *call) namedSince(name string, run *shoal.Run) (*shoal.Run, error) {
	if !shoal.ValidID(name) {
		return nil, shoal.NotFound("RunDoesNotExist", "since", "since must be previous or the id of an earlier run of the squid")
	}
	older, err := c.a.store.Run(c.ctx(), c.ws, shoal.RunID(name))
	switch {
	case err != nil:
		return nil, err
	case older.SquidPK != run.SquidPK:
		return nil, shoal.Invalid("InvalidParameterValue", "since", "since is a run of another squid; runs of one squid can be compared")
	case older.PK == run.PK:
		return nil, shoal.Invalid("InvalidParameterValue", "since", "since is the run itself; it must be an earlier one")
	case older.PK > run.PK:
		return nil, shoal.Invalid("InvalidParameterValue", "since",
			"since is later than the run: ask for /v1/runs/%s/changes?since=%s", older.ID, run.ID)
	}
	return &older, collected(&older, "since")
}

// comparable fills in the fields of both runs and refuses names that neither has.
func (c *call) comparable(cmp *compared) error {
	known := map[string]bool{}
	add := func(r *shoal.Run) (key []string, err error) {
		p, err := c.programOf(source{run: r})
		if shoal.KindOf(err) == shoal.KindNotFound && err != nil {
			return nil, nil // the crawler is gone; its results are not
		}
		if err != nil {
			return nil, err
		}
		for _, at := range p.Info().Result {
			if !known[at.Name] {
				known[at.Name] = true
				cmp.attributes = append(cmp.attributes, at)
			}
		}
		return p.Info().Key, nil
	}
	var err error
	if cmp.key, err = add(&cmp.newer); err != nil {
		return err
	}
	if cmp.older != nil {
		if cmp.was, err = add(cmp.older); err != nil {
			return err
		}
	}
	if len(known) == 0 {
		return nil
	}
	for key, list := range map[string][]string{"fields": cmp.sel.Fields, "omit": cmp.sel.Omit} {
		for _, name := range list {
			if !known[name] {
				return shoal.Invalid("InvalidParameterValue", key, "%s names %q, which is no field of these runs' results", key, clip(name, 60))
			}
		}
	}
	return nil
}

// comparedRun is a run in the answer about changes.
type comparedRun struct {
	ID        string   `json:"id"`
	Status    string   `json:"status"`
	CreatedAt stamp    `json:"created_at"`
	Results   int64    `json:"results"`
	Complete  bool     `json:"complete"`
	Lacks     orNull   `json:"lacks"`
	Key       []string `json:"key"`
}

func shownRun(r *shoal.Run, lacks shoal.RunLacks, key []string) *comparedRun {
	why := incomplete(r, lacks)
	return &comparedRun{string(r.ID), string(r.Status), stamp(r.CreatedAt), r.UniqueResults, why == "", orNull(why), key}
}

// appendHead appends what the answer says before its list.
func (cmp *compared) appendHead(b []byte) []byte {
	var since *comparedRun
	if cmp.older != nil {
		since = shownRun(cmp.older, cmp.result.Lacked(), cmp.was)
	}
	b = append(b, `"run":`...)
	b = appendJSON(b, shownRun(&cmp.newer, cmp.result.Lacks(), cmp.key))
	b = append(b, `,"since":`...)
	b = appendJSON(b, since)
	b = append(b, `,"summary":`...)
	return appendJSON(b, struct {
		New     int64 `json:"new"`
		Changed int64 `json:"changed"`
		Gone    int64 `json:"gone"`
		Same    int64 `json:"same"`
	}{cmp.result.Count(changes.New), cmp.result.Count(changes.Changed), cmp.result.Count(changes.Gone), cmp.result.Same()})
}

// appendChange appends a change as one object on one line.
func appendChange(b []byte, ch *changes.Change, object *export.Object) (out []byte, err error) {
	b = append(b, `{"object":"change","kind":"`...)
	b = append(b, ch.Kind.String()...)
	b = append(b, `","fields":`...)
	b = appendFields(b, ch.Fields)
	for _, side := range []struct {
		name string
		row  *shoal.Result
	}{{`,"before":`, ch.Before}, {`,"after":`, ch.After}} {
		b = append(b, side.name...)
		if side.row == nil {
			b = append(b, "null"...)
		} else if b, err = object.Append(b, side.row); err != nil {
			return b, fmt.Errorf("result %s: %w", side.row.ID(), err)
		}
	}
	return append(b, '}'), nil
}

// appendFields appends the values of changed fields before and after.
func appendFields(b []byte, fields []changes.Field) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, f.Name)
		b = append(b, `:{"before":`...)
		b = append(b, orNullJSON(f.Before)...)
		b = append(b, `,"after":`...)
		b = append(append(b, orNullJSON(f.After)...), '}')
	}
	return append(b, '}')
}

// orNullJSON is a value on one line, null when there is none.
func orNullJSON(v []byte) []byte {
	if len(v) == 0 {
		return []byte("null")
	}
	if bytes.IndexByte(v, '\n') < 0 {
		return v
	}
	var line bytes.Buffer
	if err := json.Compact(&line, v); err != nil {
		return v // and the client will see that it is no JSON, as it is stored
	}
	return line.Bytes()
}

// sendChangesFile answers with a file of changes: JSON and JSON lines have the
// objects of the list, the others the table of changeTable.
func (c *call) sendChangesFile(cmp *compared, form shoal.ExportForm) error {
	h := c.w.Header()
	if cmp.older != nil {
		h["X-Shoal-Since"] = []string{string(cmp.older.ID)}
	}
	for name, n := range map[string]int64{"New": cmp.result.Count(changes.New), "Changed": cmp.result.Count(changes.Changed),
		"Gone": cmp.result.Count(changes.Gone), "Same": cmp.result.Same()} {
		h["X-Shoal-"+name] = []string{strconv.FormatInt(n, 10)}
	}
	return c.streamFile("changes-"+string(cmp.newer.ID), form.Format, func(w io.Writer) error {
		if form.Format == shoal.FormatJSON || form.Format == shoal.FormatJSONL {
			return c.writeChanges(w, cmp, form.Format == shoal.FormatJSON)
		}
		table := newChangeTable(cmp.attributes)
		cols := export.ColumnsOf(&form, table.attributes)
		cols.Rows, cols.NoLineBreaks = cmp.result.Total(cmp.kinds), cmp.newer.Settings.NoLineBreaks
		_, err := export.Write(c.ctx(), w, form.Format, cols, table.rows(cmp.result.Changes(c.ctx(), cmp.kinds, 0)))
		return err
	})
}

// writeChanges writes changes as lines, or as one array.
func (c *call) writeChanges(w io.Writer, cmp *compared, array bool) error {
	object := export.NewObject(export.Columns{})
	var b []byte
	if array {
		b = append(b, '[')
	}
	n := 0
	for ch, err := range cmp.result.Changes(c.ctx(), cmp.kinds, 0) {
		if err != nil {
			return err
		}
		if array && n > 0 {
			b = append(b, ",\n"...)
		}
		if b, err = appendChange(b, ch, object); err != nil {
			return err
		}
		if n++; !array {
			b = append(b, '\n')
		}
		if len(b) < 64<<10 {
			continue
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		b = b[:0]
	}
	if array {
		b = append(b, "]\n"...)
	}
	_, err := w.Write(b)
	return err
}
