package api

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"shoal"
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
	form      shoal.ExportForm
}

// wireToken is the token's content as signed.
type wireToken struct {
	Workspace shoal.WorkspaceID `json:"w"`
	Run       shoal.RunID       `json:"r"`
	Expires   int64             `json:"e"`
	Format    shoal.Format      `json:"f"`
	Fields    []string          `json:"c,omitempty"`
	Omit      []string          `json:"o,omitempty"`
	BOM       bool              `json:"b,omitempty"`
	Guard     bool              `json:"g,omitempty"`
	Dotted    bool              `json:"d,omitempty"`
}

func (a *API) signToken(t downloadToken) string {
	f := &t.form
	body := appendJSON(nil, wireToken{t.workspace, t.run, t.expires.Unix(), f.Format, f.Fields, f.Omit, f.BOM, f.GuardFormulas, f.Dotted})
	mac := a.seal.Sign(purposeDownload, body)
	return base64.RawURLEncoding.EncodeToString(append(mac[:macSize:macSize], body...))
}

// plainCSV is the form of the file that a run's end makes.
var plainCSV = shoal.ExportForm{Format: shoal.FormatCSV}

// resultsLinkLife is how long a link in a mail is good for.
const resultsLinkLife = 7 * 24 * time.Hour

// ResultsLink returns an address where the CSV of a run can be had without a
// key for a week; "" when the server's own address was not configured.
func (a *API) ResultsLink(ws shoal.WorkspaceID, run shoal.RunID) string {
	if a.publicURL == "" {
		return ""
	}
	return a.publicURL + "/v1/download/" + a.signToken(downloadToken{workspace: ws, run: run, expires: a.now().Add(resultsLinkLife), form: plainCSV})
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
	form := shoal.ExportForm{Format: w.Format, Fields: w.Fields, Omit: w.Omit, BOM: w.BOM, GuardFormulas: w.Guard, Dotted: w.Dotted}
	return downloadToken{w.Workspace, w.Run, time.Unix(w.Expires, 0), form}, nil
}

// downloadURL returns a signed URL of a run's results. The expiry is rounded up
// to a minute, so that a squid's answer does not change with each look.
func (c *call) downloadURL(r *shoal.Run, form shoal.ExportForm) string {
	t := downloadToken{workspace: r.WorkspaceID, run: r.ID, form: form}
	t.expires = c.a.now().Add(downloadLife).Truncate(time.Minute).Add(time.Minute)
	return c.base() + "/v1/download/" + c.a.signToken(t)
}
