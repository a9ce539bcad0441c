package api

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	"shoal"
	"shoal/internal/blob"
	"shoal/internal/export"
)

const (
	// downloadLife is how long a signed URL is good for.
	downloadLife = time.Hour
	// purposeDownload binds the signature to what it is for.
	purposeDownload = "api/download"
	// macSize is how much of the signature a URL carries.
	macSize = 16
)

// downloadToken is what a signed URL carries: which file of which run, and
// until when.
type downloadToken struct {
	workspace shoal.WorkspaceID
	run       shoal.RunID
	expires   time.Time
	format    shoal.Format
	fields    []string
	omit      []string
}

// wireToken is the token's content as signed.
type wireToken struct {
	Workspace shoal.WorkspaceID `json:"w"`
	Run       shoal.RunID       `json:"r"`
	Expires   int64             `json:"e"`
	Format    shoal.Format      `json:"f"`
	Fields    []string          `json:"c,omitempty"`
	Omit      []string          `json:"o,omitempty"`
}

func (a *API) signToken(t downloadToken) string {
	body := appendJSON(nil, wireToken{t.workspace, t.run, t.expires.Unix(), t.format, t.fields, t.omit})
	mac := a.seal.Sign(purposeDownload, body)
	return base64.RawURLEncoding.EncodeToString(append(mac[:macSize:macSize], body...))
}

// resultsLinkLife is how long a link in a mail is good for.
const resultsLinkLife = 7 * 24 * time.Hour

// ResultsLink returns an address where the CSV of a run can be had without a
// key for a week; "" when the server's own address was not configured.
func (a *API) ResultsLink(ws shoal.WorkspaceID, run shoal.RunID) string {
	if a.publicURL == "" {
		return ""
	}
	return a.publicURL + "/v1/download/" + a.signToken(downloadToken{workspace: ws, run: run, expires: a.now().Add(resultsLinkLife), format: shoal.FormatCSV})
}

// errLink refuses a download link. It does not say more: whoever holds a good
// one knows, and nobody else should learn.
var errLink = shoal.NotFound("RunDoesNotExist", "token",
	"This download link is not valid or has expired; get a new one from GET /v1/runs/{run}/download")

func (a *API) openToken(text string) (downloadToken, error) {
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < macSize {
		return downloadToken{}, errLink
	}
	mac, body := raw[:macSize], raw[macSize:]
	if !a.seal.VerifyPrefix(purposeDownload, body, mac) {
		return downloadToken{}, errLink
	}
	var w wireToken
	if json.Unmarshal(body, &w) != nil || a.now().Unix() >= w.Expires {
		return downloadToken{}, errLink
	}
	return downloadToken{w.Workspace, w.Run, time.Unix(w.Expires, 0), w.Format, w.Fields, w.Omit}, nil
}

// downloadURL returns a signed URL of a run's results. The expiry is rounded up
// to a minute, so that a squid's answer does not change with each look.
func (c *call) downloadURL(r *shoal.Run, t downloadToken) string {
	t.workspace, t.run = r.WorkspaceID, r.ID
	t.expires = c.a.now().Add(downloadLife).Truncate(time.Minute).Add(time.Minute)
	return c.base() + "/v1/download/" + c.a.signToken(t)
}

func (a *API) runDownload(c *call) error {
	r, err := c.run()
	if err != nil {
		return err
	}
	q, err := c.query()
	if err != nil {
		return err
	}
	t := downloadToken{format: shoal.FormatCSV, fields: names(q, "fields"), omit: names(q, "omit")}
	// The MCP server calls it file_format.
	if f := cmp.Or(q.Get("format"), q.Get("file_format")); f != "" {
		t.format = shoal.Format(f)
	}
	if !knownFormat(t.format) {
		return shoal.Invalid("InvalidParameterValue", "format", "format is %q; it must be csv, json or jsonl", clip(string(t.format), 40))
	}
	cols := export.Columns{Select: t.fields, Omit: t.omit}
	if err := c.columns(&cols, source{run: &r}); err != nil {
		return err
	}
	if !r.ExportDone {
		return shoal.NotFound("RunDoesNotExist", "run_hash", "This run has no export yet; it is made when the run ends")
	}
	return c.json(http.StatusOK, struct {
		S3 string `json:"s3"`
	}{c.downloadURL(&r, t)})
}

func knownFormat(f shoal.Format) bool {
	for _, known := range export.Formats {
		if f == known {
			return true
		}
	}
	return false
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
	if len(t.fields) == 0 && len(t.omit) == 0 {
		if served, err := c.serveExport(&r, t.format); served || err != nil {
			return err
		}
	}
	return c.convert(&r, t)
}

// serveExport serves the stored file, if there is one.
func (c *call) serveExport(r *shoal.Run, f shoal.Format) (bool, error) {
	e, err := c.a.store.ExportOf(c.ctx(), r.ID, f, "")
	if shoal.KindOf(err) == shoal.KindNotFound && err != nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	file, err := c.a.blob.Open(c.ctx(), e.Blob)
	if errors.Is(err, blob.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	h := c.w.Header()
	h["Content-Type"] = []string{f.ContentType()}
	h["Content-Disposition"] = []string{attachment(string(r.ID), f)}
	h["Etag"] = []string{e.ETag}
	h["Cache-Control"] = []string{"private, no-cache"}
	c.status, c.started = http.StatusOK, true
	http.ServeContent(&patientWriter{ResponseWriter: c.w, c: c}, c.r, "", file.ModTime, file)
	return true, nil
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

// convert writes the run's results in the token's form as they are read. An
// ended run's results never change, so that what they come out as has an ETag too.
func (c *call) convert(r *shoal.Run, t downloadToken) error {
	sel := selection{query: shoal.ResultQuery{Workspace: t.workspace, Run: r.ID}, name: string(r.ID)}
	sel.cols = export.Columns{Select: t.fields, Omit: t.omit, NoLineBreaks: r.Settings.NoLineBreaks}
	if err := c.columns(&sel.cols, source{run: r}); err != nil {
		return err
	}
	etag := convertedETag(r, t)
	h := c.w.Header()
	h["Cache-Control"] = []string{"private, no-cache"}
	h["Etag"] = []string{etag}
	if c.r.Header.Get("If-None-Match") == etag {
		c.start(http.StatusNotModified)
		return nil
	}
	return c.streamResults(sel, t.format)
}

func convertedETag(r *shoal.Run, t downloadToken) string {
	h := fnv.New64a()
	h.Write(appendJSON(nil, wireToken{Run: r.ID, Format: t.format, Fields: t.fields, Omit: t.omit,
		Expires: r.UniqueResults ^ int64(r.ExportCount)<<48}))
	return `"` + strconv.FormatUint(h.Sum64(), 16) + `"`
}
