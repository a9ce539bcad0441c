package api

import (
	"cmp"
	"errors"
	"net/http"

	"shoal"
	"shoal/internal/export"
)

// wireExport is a file of a run's results as the wire has it.
type wireExport struct {
	ID        string            `json:"id"`
	Object    string            `json:"object"`
	Run       shoal.RunID       `json:"run"`
	Format    shoal.Format      `json:"format"`
	Fields    []string          `json:"fields"`
	Omit      []string          `json:"omit"`
	BOM       bool              `json:"bom"`
	Guard     bool              `json:"guard_formulas"`
	Dotted    bool              `json:"dotted"`
	State     shoal.ExportState `json:"state"`
	Progress  exportProgress    `json:"progress"`
	Error     orNull            `json:"error"`
	Size      *int64            `json:"size"`
	URL       string            `json:"url"`
	CreatedAt stamp             `json:"created_at"`
	UpdatedAt stamp             `json:"updated_at"`
	UsedAt    stamp             `json:"used_at"`
}

type exportProgress struct {
	Rows    int64  `json:"rows"`
	Total   *int64 `json:"total"`
	Percent int    `json:"percent"`
}

// showExport returns a file as the wire has it. Its link works in every state:
// what is not ready is made as it is read.
func (c *call) showExport(r *shoal.Run, e *shoal.Export) wireExport {
	w := wireExport{
		ID: e.ID(), Object: "export", Run: e.RunID, Format: e.Format, Fields: listOf(e.Form.Fields), Omit: listOf(e.Form.Omit),
		BOM: e.Form.BOM, Guard: e.Form.GuardFormulas, Dotted: e.Form.Dotted, State: e.State, Error: orNull(e.Error),
		Progress: exportProgress{Rows: e.Rows}, URL: c.downloadURL(r, e.Form),
		CreatedAt: stamp(e.CreatedAt), UpdatedAt: stamp(e.UpdatedAt), UsedAt: stamp(e.UsedAt),
	}
	if e.Total > 0 {
		// Of export_unique_results it is known only at the end how many there are.
		w.Progress.Total = &e.Total
		w.Progress.Percent = int(min(99, e.Rows*100/e.Total))
	}
	if e.State == shoal.ExportDone {
		w.Progress.Percent, w.Size, w.Progress.Total = 100, &e.Size, &e.Rows
	}
	return w
}

// listOf is a list on the wire, which is never null.
func listOf(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// form reads the form of a file from the body; without a format it is CSV.
func (f *fields) form() shoal.ExportForm {
	form := shoal.ExportForm{Format: shoal.Format(cmp.Or(f.text("format"), string(shoal.FormatCSV))), Fields: f.names("fields"),
		Omit: f.names("omit"), BOM: f.flag("bom", false), GuardFormulas: f.flag("guard_formulas", false), Dotted: f.flag("dotted", false)}
	if f.err == nil {
		if e, ok := errors.AsType[*shoal.Error](form.Validate()); ok {
			f.bad(e.Param, "%s%s", f.path, e.Message)
		}
	}
	return form
}

// names returns the array of names under key; nil when it is absent, null or empty.
func (f *fields) names(key string) []string {
	var out []string
	for _, v := range f.array(key) {
		name, ok := v.(string)
		if !ok {
			f.wrong(key, "an array of names")
			return nil
		}
		out = append(out, name)
	}
	return out
}

// checkForm refuses a form that no file of the run can have.
func (c *call) checkForm(r *shoal.Run, form *shoal.ExportForm) error {
	if err := form.Validate(); err != nil {
		return err
	}
	cols := export.Columns{Select: form.Fields, Omit: form.Omit, Dotted: form.Dotted}
	return c.columns(&cols, source{run: r})
}

// createExport has a file made in the background.
func (a *API) createExport(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	f, err := c.decode()
	if err != nil {
		return err
	}
	f.required("format")
	form := f.form()
	if err := f.error(); err != nil {
		return err
	}
	if err := c.checkForm(&r, &form); err != nil {
		return err
	}
	ctx := effectCtx(c, http.StatusAccepted, func(e shoal.Export) []byte { return appendJSON(nil, c.showExport(&r, &e)) })
	e, err := a.runs.Want(ctx, &r, form, false)
	if err != nil {
		return err
	}
	if e.State == shoal.ExportDone && !c.fileThere(&e) {
		if e, err = a.runs.Want(ctx, &r, form, true); err != nil {
			return err
		}
	}
	return c.json(http.StatusAccepted, c.showExport(&r, &e))
}

// fileThere reports whether a file that is recorded is in the store. If that
// cannot be told it is: who reads it will see.
func (c *call) fileThere(e *shoal.Export) bool {
	file, err := c.a.blob.Open(c.ctx(), e.Blob)
	if err != nil {
		return shoal.KindOf(err) != shoal.KindNotFound
	}
	file.Close()
	return true
}

func (a *API) listExports(c *call) error {
	r, err := c.run()
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
	all, err := a.store.Exports(c.ctx(), c.ws, r.ID)
	if err != nil {
		return err
	}
	l := shoal.Listing[shoal.Export]{Total: int64(len(all))}
	from := min(w.Offset(), l.Total)
	l.Items = all[from:min(from+int64(w.Limit), l.Total)]
	return sendList(c, l, w, func(b []byte, e *shoal.Export) []byte { return appendJSON(b, c.showExport(&r, e)) })
}

// errExportNotFound answers for a file that the run does not have.
var errExportNotFound = shoal.NotFound("ExportDoesNotExist", "export", "Export not found; GET /v1/runs/{run}/exports lists those of the run")

// export loads the run and the file of the path.
func (c *call) export() (r shoal.Run, e shoal.Export, err error) {
	if r, err = c.run(); err != nil {
		return r, e, err
	}
	all, err := c.a.store.Exports(c.ctx(), c.ws, r.ID)
	if err != nil {
		return r, e, err
	}
	id := c.r.PathValue("export")
	for i := range all {
		if all[i].ID() == id {
			return r, all[i], nil
		}
	}
	return r, e, errExportNotFound
}

func (a *API) getExport(c *call) error {
	r, e, err := c.export()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, c.showExport(&r, &e))
}

// deleteExport throws a file away; it can be had again.
func (a *API) deleteExport(c *call) error {
	_, e, err := c.export()
	if err != nil {
		return err
	}
	if e.State == shoal.ExportPending || e.State == shoal.ExportConverting {
		return shoal.Conflict("ExportInProgress", "export", "The file is being made; delete it when it is done")
	}
	if err := a.blob.Delete(c.ctx(), e.Blob); err != nil {
		return err
	}
	if err := a.store.ForgetExport(c.ctx(), e.RunID, e.Format, e.Variant); err != nil {
		return err
	}
	return c.json(http.StatusOK, deleted{e.ID(), "export", true})
}
