package extract

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// tempting reports whether a canonical URL looks like one of those that
// multiply a site without adding to it: the page of a calendar, a reply form,
// a share button, a cart, a log-in that leads back, a sort order, a print
// view, a wiki's old version.
func tempting(canonical string) bool {
	rest := canonical
	if i := strings.Index(canonical, "://"); i >= 0 {
		rest = canonical[i+3:]
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return false
	}
	path, query, asks := strings.Cut(rest[slash:], "?")
	return asks && temptingQuery(query) || temptingPath(path)
}

// always are the parameters that make a trap whatever their value is.
var always = words(`replytocom add-to-cart add_to_cart add_to_wishlist add-to-wishlist sort sortby sort_by sort_order sortorder sort_dir orderby order_by
	sortcolumn sk sd printable redirect_to redirect_url redirecturl redirect_uri return_to returnto return_url returnurl backurl back_url oldid diff
	doing_wp_cron share_to`)

// withValue are the parameters that make a trap with one of these values.
var withValue = map[string]map[string]bool{
	"share":     words(`twitter facebook x linkedin reddit pinterest tumblr email pocket telegram jetpack-whatsapp whatsapp mastodon threads bluesky nextdoor print`),
	"view":      words(`print grid list next previous unread`),
	"print":     words(`1 yes true y`),
	"format":    words(`print pdf`),
	"dir":       words(`asc desc`),
	"direction": words(`asc desc`),
	"action":    words(`edit history login lostpassword register print raw info addtocart add_to_cart`),
	"mode":      words(`login register sendpassword print`),
	"do":        words(`login diff edit revisions recent backlink`),
}

// days are the parameters of calendars, with a value of digits.
var days = words(`month year date day week yearmonth cal_date calmonth mon yr eventdate tribe-bar-date`)

func temptingQuery(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name = strings.ToLower(name); len(name) > 24 {
			continue
		}
		switch {
		case always[name]:
			return value != ""
		case withValue[name][strings.ToLower(value)]:
			return true
		case days[name] && numeric(value):
			return true
		case (name == "next" || name == "continue" || name == "redirect" || name == "return") && (strings.HasPrefix(value, "%2F") || strings.HasPrefix(value, "/") || strings.HasPrefix(value, "http")):
			return true
		}
	}
	return false
}

// numeric reports a value of digits with their separators.
func numeric(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && s[i] != '-' && s[i] != '/' && s[i] != '.' {
			return false
		}
	}
	return s != "" && len(s) <= 10
}

var (
	// calendarPath is a calendar's own page of a year, a month or a day; what lies
	// below it, such as an event's page, is none.
	calendarPath = regexp.MustCompile(`(?i)/(?:calendar|kalender|calendrier|calendario|agenda|events?|termine|veranstaltungen)/(?:month/|week/|day/|list/)?(?:19|20)\d\d(?:[/-]\d{1,2}){0,2}/?$`)
	// cookieless is a session in the path as ASP.NET writes it.
	cookieless = regexp.MustCompile(`(?i)/\([a-z]\([a-z0-9]{20,}\)\)/`)
)

func temptingPath(path string) bool {
	if strings.Contains(path, "(") && cookieless.MatchString(path) {
		return true
	}
	last := strings.TrimSuffix(path, "/")
	if last == "" || last[len(last)-1] < '0' || last[len(last)-1] > '9' {
		return false
	}
	return calendarPath.MatchString(path)
}

// trap reports whether a canonical URL looks like a site that links into
// itself without end: one path segment again and again, or one parameter with
// the same value again.
func trap(canonical string) bool {
	if strings.Count(canonical, "/") < 8 {
		return repeats(canonical)
	}
	u, err := url.Parse(canonical)
	if err != nil {
		return true
	}
	segments := strings.Split(u.Path, "/")
	if len(segments) > 60 {
		return true
	}
	seen := map[string]int{}
	for _, seg := range segments {
		if seg == "" {
			continue
		}
		if seen[seg]++; seen[seg] > 3 {
			return true
		}
	}
	return repeats(canonical)
}

// repeats reports whether the query says the same thing twice, as links do that
// add a parameter to the address at hand.
func repeats(canonical string) bool {
	_, query, ok := strings.Cut(canonical, "?")
	if !ok || strings.IndexByte(query, '&') < 0 {
		return false
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs[:min(len(pairs), 50)] {
		if strings.IndexByte(pair, '=') > 0 && slices.Contains(pairs[:i], pair) {
			return true
		}
	}
	return len(pairs) > 50
}

// extension returns the lower-case extension of a canonical URL's path, with its dot.
func extension(canonical string) string {
	if i := strings.IndexByte(canonical, '?'); i >= 0 {
		canonical = canonical[:i]
	}
	ext := path.Ext(canonical)
	if len(ext) < 2 || len(ext) > 8 || strings.Count(canonical, "/") < 3 {
		return ""
	}
	return strings.ToLower(ext)
}

func words(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}
