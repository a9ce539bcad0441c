package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"shoal"
	"shoal/internal/blob"
)

func (a *API) runDownload(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	form, err := exportForm(q)
	if err != nil {
		return err
	}
	if err := c.checkForm(&r, &form); err != nil {
		return err
	}
	if !r.ResultsRemovedAt.IsZero() {
		return shoal.ErrResultsRemoved
	}
	if !r.ExportDone {
		return shoal.NotFound("RunDoesNotExist", "run_hash", "This run has no export yet; it is made when the run ends")
	}
	if err := c.prepare(&r, form); err != nil {
		return err
	}
	return c.json(http.StatusOK, struct {
		S3 string `json:"s3"`
	}{c.downloadURL(&r, form)})
}

// exportForm reads the form of a file from the query.
func exportForm(q url.Values) (shoal.ExportForm, error) {
	// The MCP server calls it file_format.
	f := shoal.ExportForm{Format: shoal.Format(cmp.Or(q.Get("format"), q.Get("file_format"), string(shoal.FormatCSV))),
		Fields: names(q, "fields"), Omit: names(q, "omit")}
	for name, option := range map[string]*bool{"bom": &f.BOM, "guard_formulas": &f.GuardFormulas, "dotted": &f.Dotted} {
		var err error
		if *option, err = boolean(q, name); err != nil {
			return f, err
		}
	}
	return f, nil
}

// keepFrom is from how many rows on a file that is asked for is kept: a smaller
// one is made anew in an instant.
const keepFrom = 20_000

// prepare has a file made in the background that is large and not there, so
// that it can be read in ranges and more than once; its link works meanwhile.
// Who has no key, only a link to shared results, causes nothing.
func (c *call) prepare(r *shoal.Run, form shoal.ExportForm) error {
	if c.key.ID == "" || r.UniqueResults < keepFrom {
		return nil
	}
	_, err := c.a.runs.Want(c.ctx(), r, form, false)
	switch shoal.KindOf(err) {
	case shoal.KindBusiness, shoal.KindStorageFull, shoal.KindUnavailable, shoal.KindConflict:
		return nil // it is read from the rows then
	}
	return err
}

// download serves the file of a signed URL: the stored export if there is one
// of that form, with ranges; else the rows as they are read.
func (a *API) download(c *call) error {
	t, err := a.openToken(c.r.PathValue("token"))
	if err != nil {
		return err
	}
	c.ws = t.workspace
	r, err := a.store.Run(c.ctx(), t.workspace, t.run)
	if errors.Is(err, shoal.ErrRunNotFound) {
		return errLink
	}
	if err != nil {
		return err
	}
	if !r.ResultsRemovedAt.IsZero() {
		return shoal.ErrResultsRemoved
	}
	if served, err := c.serveExport(&r, t.form); served || err != nil {
		return err
	}
	if c.r.Header.Get("Range") != "" && c.soon(&r, t.form) {
		if served, err := c.serveExport(&r, t.form); served || err != nil {
			return err
		}
	}
	return c.convert(&r, t.form)
}

// soonest and soonLook are for how long a part of a file that is not there is
// waited for, and how often it is looked for.
const (
	soonest  = 3 * time.Second
	soonLook = 25 * time.Millisecond
)

// soon has a file made and reports whether it was there in a moment: only a
// file, not rows as they are read, can be had in parts. Otherwise all of it is sent.
func (c *call) soon(r *shoal.Run, form shoal.ExportForm) bool {
	if _, err := c.a.runs.Want(c.ctx(), r, form, false); err != nil {
		return false
	}
	within, cancel := context.WithTimeout(c.ctx(), soonest)
	defer cancel()
	tick := time.NewTicker(soonLook)
	defer tick.Stop()
	for {
		select {
		case <-within.Done():
			return false
		case <-tick.C:
		}
		if _, err := c.a.store.ExportOf(within, r.ID, form.Format, form.Variant()); err == nil {
			return true
		}
	}
}

// serveExport serves the stored file, if there is one.
func (c *call) serveExport(r *shoal.Run, form shoal.ExportForm) (bool, error) {
	e, err := c.a.store.ExportOf(c.ctx(), r.ID, form.Format, form.Variant())
	if shoal.KindOf(err) == shoal.KindNotFound && err != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	file, err := c.a.blob.Open(c.ctx(), e.Blob)
	if errors.Is(err, blob.ErrNotFound) {
		return false, c.replace(r, form)
	}
	if err != nil {
		// Where the files are does not answer, and the rows are here.
		c.a.log.Warn("a file of results cannot be opened and is read from the rows", "request", c.id, "file", e.Blob, "err", err)
		return false, nil
	}
	defer file.Close()
	if err := c.a.store.UseExport(c.ctx(), &e); err != nil {
		return false, err
	}
	h := c.fileHeader(string(r.ID), form.Format)
	h["Etag"] = []string{e.ETag}
	h["Cache-Control"] = []string{"private, no-cache"}
	c.status, c.started = http.StatusOK, true
	http.ServeContent(&patientWriter{ResponseWriter: c.w, c: c}, c.r, "", file.ModTime, file)
	return true, nil
}

// replace has a file made again that was found to be gone.
func (c *call) replace(r *shoal.Run, form shoal.ExportForm) error {
	_, err := c.a.runs.Want(c.ctx(), r, form, true)
	if err != nil && shoal.KindOf(err) != shoal.KindConflict {
		c.a.log.Warn("a missing file of results cannot be made again", "request", c.id, "run", r.ID, "format", form.Format, "err", err)
	}
	return nil
}

// patientWriter moves the deadline for writing along with a download that
// makes progress.
type patientWriter struct {
	http.ResponseWriter
	c     *call
	moved time.Time
}

func (p *patientWriter) Write(b []byte) (int, error) {
	if now := time.Now(); now.Sub(p.moved) > writeGrace/4 {
		p.moved = now
		p.c.longAnswer(writeGrace)
	}
	return p.ResponseWriter.Write(b)
}

// WriteHeader keeps the status for the log.
func (p *patientWriter) WriteHeader(status int) {
	p.c.status = status
	p.ResponseWriter.WriteHeader(status)
}

// convert writes the run's results in the given form as they are read. An
// ended run's results never change, so that what they come out as has an ETag too.
func (c *call) convert(r *shoal.Run, form shoal.ExportForm) error {
	etag := convertedETag(r, form)
	h := c.w.Header()
	h["Cache-Control"] = []string{"private, no-cache"}
	h["Etag"] = []string{etag}
	if c.r.Header.Get("If-None-Match") == etag {
		c.start(http.StatusNotModified)
		return nil
	}
	return c.streamFile(string(r.ID), form.Format, func(w io.Writer) error {
		_, err := c.a.runs.WriteExport(c.ctx(), w, r, form)
		return err
	})
}

func convertedETag(r *shoal.Run, form shoal.ExportForm) string {
	h := fnv.New64a()
	fmt.Fprint(h, r.ID, form.Format, form.Variant(), r.UniqueResults, r.ExportCount)
	return `"` + strconv.FormatUint(h.Sum64(), 16) + `"`
}

// fileHeader names a file of results in the answer's header.
func (c *call) fileHeader(name string, f shoal.Format) http.Header {
	h := c.w.Header()
	h["Content-Type"] = []string{f.ContentType()}
	h["Content-Disposition"] = []string{attachment(name, f)}
	return h
}

// streamFile answers with a file of results that write makes.
func (c *call) streamFile(name string, f shoal.Format, write func(io.Writer) error) error {
	h := c.fileHeader(name, f)
	c.status = http.StatusOK
	if c.r.Method == http.MethodHead {
		c.start(http.StatusOK)
		return nil
	}
	out := &streamWriter{c: c}
	if err := write(out); err != nil {
		if out.gone {
			return errDropped
		}
		if !c.started {
			delete(h, "Content-Disposition")
			delete(h, "Etag")
		}
		return err
	}
	return nil
}

func attachment(name string, f shoal.Format) string {
	return `attachment; filename="` + name + "." + string(f) + `"`
}

// streamWriter writes an answer that may be long: the first piece is sent at
// once, and each piece has its own deadline.
type streamWriter struct {
	c    *call
	gone bool
}

var _ io.Writer = (*streamWriter)(nil)

func (s *streamWriter) Write(b []byte) (int, error) {
	first := !s.c.started
	s.c.started = true
	s.c.longAnswer(writeGrace)
	n, err := s.c.w.Write(b)
	if err == nil && first {
		err = http.NewResponseController(s.c.w).Flush()
	}
	s.gone = err != nil
	return n, err
}
