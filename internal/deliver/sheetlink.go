package deliver

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// SheetLink reads the address of a Google spreadsheet as a browser shows it:
// https://docs.google.com/spreadsheets/d/ID/edit#gid=0. gid is the number of
// the tab, -1 when the address names none. The error says what to give instead.
func SheetLink(link string) (id string, gid int64, err error) {
	u, err := url.Parse(strings.TrimSpace(link))
	if err != nil || u.Scheme != "https" || u.Hostname() != "docs.google.com" {
		return "", 0, errors.New("it must be the address of a Google sheet (https://docs.google.com/spreadsheets/d/…)")
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	for i, part := range parts {
		if part == "d" && i > 0 && i+1 < len(parts) {
			id = parts[i+1]
			break
		}
	}
	switch {
	case id == "e":
		return "", 0, errors.New("it is the address of a published copy, which cannot be written to: give the one that the browser shows when you edit the sheet")
	case !strings.Contains(u.Path, "/spreadsheets/") || !validSheetID(id):
		return "", 0, errors.New("it must be the address of a Google sheet (https://docs.google.com/spreadsheets/d/…)")
	}
	return id, gidOf(u), nil
}

func validSheetID(id string) bool {
	return id != "" && len(id) <= 200 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// gidOf looks for the tab's number where browsers put it: after the #, or in the query.
func gidOf(u *url.URL) int64 {
	after, err := url.ParseQuery(u.Fragment)
	if err != nil {
		after = nil
	}
	for _, text := range []string{after.Get("gid"), u.Query().Get("gid")} {
		if n, err := strconv.ParseInt(text, 10, 32); err == nil && n >= 0 {
			return n
		}
	}
	return -1
}
