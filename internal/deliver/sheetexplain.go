package deliver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"shoal"
)

// explain says what went wrong and what to change, and whether another attempt
// could do better by itself.
func (j *sheetJob) explain(err error) (status int, detail string, final bool) {
	if e, ok := errors.AsType[*sheetSettled](err); ok {
		return 0, e.text, true
	}
	if e, ok := errors.AsType[*tokenError](err); ok {
		detail, final = j.explainToken(e)
		return e.status, detail, final
	}
	if e, ok := errors.AsType[*sheetError](err); ok {
		detail, final = j.explainRefusal(e)
		return e.code, detail, final
	}
	if errors.Is(err, errSheetAnswer) {
		return 0, "Google's answer about the tab is too large: the tab holds more than can be gone through. Give another tab", true
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return 0, explain(err, hostOf(e.URL), j.api.within), false
	}
	if kind := shoal.KindOf(err); kind == shoal.KindInvalid {
		return 0, clip(err.Error(), maxDetail), true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, explain(err, "Google", j.api.within), false
	}
	return 0, explain(err, hostOf(j.api.address), j.api.within), false
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return "Google"
	}
	return u.Hostname()
}

// explainToken says why no access token was given.
func (j *sheetJob) explainToken(e *tokenError) (detail string, final bool) {
	key := j.api.key
	said := strings.TrimSpace(e.code + ": " + e.description)
	lower := strings.ToLower(e.description)
	switch {
	case e.status >= 500 || e.status == http.StatusTooManyRequests || e.status == 0:
		return fmt.Sprintf("Google gave no access (%d %s)", e.status, said), false
	case strings.Contains(lower, "iat") || strings.Contains(lower, "short-lived"):
		return fmt.Sprintf("Google does not accept the time of this machine, which is %s: set its clock. Google says: %s", time.Now().UTC().Format(time.RFC3339), said), false
	case key.Type == serviceAccount && e.code == "invalid_grant":
		return fmt.Sprintf("Google does not know this key of %s: it was deleted, or is of another account. Make a new key of the service account and set it as credentials. Google says: %s", key.ClientEmail, said), true
	case e.code == "invalid_grant":
		return "The grant has ended (the refresh token was withdrawn, not used for six months, or the OAuth client is in testing, where it lasts a week): make a new refresh token. Google says: " + said, true
	case e.code == "invalid_client" || e.code == "unauthorized_client" || e.code == "deleted_client":
		return "Google does not accept the OAuth client of the credentials: check client_id and client_secret. Google says: " + said, true
	}
	return fmt.Sprintf("Google does not accept the credentials (%d). Google says: %s", e.status, said), true
}

// explainRefusal says why the API refused.
func (j *sheetJob) explainRefusal(e *sheetError) (detail string, final bool) {
	says := ". Google says: " + e.message
	whom := j.api.key.whom()
	switch {
	case e.crowded():
		return "Google takes no more requests for now: its quota is 60 writes and 60 reads a minute for an account" + says, false
	case e.code >= 500:
		return fmt.Sprintf("Google stumbled (%d %s)", e.code, e.status) + says, false
	case e.code == http.StatusUnauthorized:
		return "Google does not accept the access token that it gave" + says, false
	case e.reason == "SERVICE_DISABLED" || e.reason == "accessNotConfigured":
		return "The Google Sheets API is switched off in the project of the credentials: enable it in the Google Cloud console" + says, false
	case e.reason == "ACCESS_TOKEN_SCOPE_INSUFFICIENT" || strings.Contains(e.message, "insufficient authentication scopes"):
		return "The credentials do not reach to spreadsheets: make a refresh token with the scope " + sheetsScope + says, true
	case strings.Contains(strings.ToLower(e.message), "protected"):
		return fmt.Sprintf("Cells of the tab are protected: let %s edit them", whom) + says, false
	case e.code == http.StatusForbidden:
		return fmt.Sprintf("%s may not write to the spreadsheet: open it, press Share, and add %s as an editor", whom, whom) + says, false
	case e.code == http.StatusNotFound:
		return "There is no spreadsheet at this address, or it was deleted: check the url" + says, true
	case strings.Contains(e.message, "not supported for this document"):
		return "The file is not a Google sheet but an Excel file kept in Drive: open it, choose File → Save as Google Sheets, and give the address of the new one" + says, true
	case strings.Contains(e.message, "above the limit of"):
		return "The spreadsheet is full: delete tabs or empty rows and columns, or give another one" + says, true
	case strings.Contains(e.message, "already exists"):
		return "Somebody else adds the same tab" + says, false
	case strings.Contains(e.message, "No grid with id") || strings.Contains(e.message, "exceeds grid limits") || strings.Contains(e.message, "Unable to parse range"):
		return "The tab was changed while rows were written to it" + says, false
	}
	return fmt.Sprintf("Google refuses the request (%d %s)", e.code, e.status) + says, true
}
