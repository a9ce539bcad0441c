package har

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal/internal/dom/address"
	"shoal/internal/fetch"
)

// maxRedirects is how many recorded redirects are followed.
const maxRedirects = 10

// Replay answers requests from a recording and never touches the network. It
// takes the place of a *fetch.Fetcher, and answers as one: a 500 is an error, a
// 404 a page. It is safe for concurrent use.
type Replay struct {
	name    string
	entries []Entry
	byKey   map[string][]int // indexes of entries, by method, URL and body
	byURL   map[string][]int // by method and URL

	mu      sync.Mutex
	missing []string
	used    map[int]bool
}

// Replay returns a fetcher that knows the recording and nothing else.
func (f *File) Replay() *Replay {
	r := &Replay{name: f.Name, entries: f.Entries, byKey: map[string][]int{}, byURL: map[string][]int{}, used: map[int]bool{}}
	if r.name == "" {
		r.name = "the recording"
	}
	for i := range f.Entries {
		e := &f.Entries[i]
		at := keyOf(e.Method, e.URL, "")
		r.byURL[at] = append(r.byURL[at], i)
		k := keyOf(e.Method, e.URL, e.RequestBody)
		r.byKey[k] = append(r.byKey[k], i)
	}
	return r
}

// keyOf identifies a request. URLs are compared as the crawl compares them, and
// secrets are left out on both sides, because the file has none.
func keyOf(method, raw, body string) string {
	raw = safeURL(raw)
	if c, ok := address.Canonical(raw); ok {
		raw = c
	}
	return cmp.Or(method, http.MethodGet) + " " + raw + "\x00" + plainBody(body)
}

// plainBody is a request's body without what does not matter: the order and
// the spaces of JSON.
func plainBody(body string) string {
	body = safeBody(strings.TrimSpace(body))
	if strings.HasPrefix(body, "{") || strings.HasPrefix(body, "[") {
		var v any
		if json.Unmarshal([]byte(body), &v) == nil {
			if b, err := json.Marshal(v); err == nil {
				return string(b)
			}
		}
	}
	return body
}

// Why says nothing: a recording is never waited for.
func (*Replay) Why(string, time.Time) string { return "" }

// Do answers a request from the recording. One that is not in it is an error
// that names it and what is recorded nearby.
func (r *Replay) Do(ctx context.Context, req fetch.Request, p fetch.Policy) (*fetch.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	method, at, body := cmp.Or(req.Method, http.MethodGet), withoutFragment(req.URL), req.Body
	var passed []string
	for {
		e := r.find(method, at, body)
		if e == nil {
			return nil, r.unknown(method, at, body)
		}
		if e.Location == "" || p.MaxRedirects < 0 {
			return answer(e, at, passed, p)
		}
		next, err := follow(at, e.Location)
		if err != nil || len(passed) == maxRedirects {
			return nil, &fetch.Error{Failure: fetch.FailRedirects, Status: e.Status, Tries: 1,
				Message: fmt.Sprintf("%s leads through more than %d redirects, or to no address", clip(req.URL), maxRedirects)}
		}
		passed = append(passed, at)
		if at = next; e.Status < 307 && method != http.MethodHead {
			method, body = http.MethodGet, ""
		}
	}
}

func follow(base, ref string) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	next, err := u.Parse(ref)
	if err != nil {
		return "", err
	}
	next.Fragment, next.RawFragment = "", ""
	return next.String(), nil
}

// find returns the best recording of a request: browsers also write what they
// cancelled, or had in their cache, under the same URL.
func (r *Replay) find(method, at, body string) *Entry {
	found := r.byKey[keyOf(method, at, body)]
	if found == nil && body != "" {
		// Some recorders leave the bodies of requests out.
		for _, i := range r.byURL[keyOf(method, at, "")] {
			if r.entries[i].RequestBody == "" {
				found = append(found, i)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	best := slices.MaxFunc(found, func(a, b int) int {
		// MaxFunc keeps the first of equals: the earliest.
		return worth(&r.entries[a]) - worth(&r.entries[b])
	})
	r.mu.Lock()
	r.used[best] = true
	r.mu.Unlock()
	return &r.entries[best]
}

// worth says how much an entry says of its URL.
func worth(e *Entry) int {
	switch {
	case e.Status >= 200 && e.Status < 300 && len(e.Body) > 0:
		return 5
	case e.Location != "":
		return 4
	case e.Status >= 200 && e.Status < 300:
		return 3
	case e.Status >= 400 || e.Failed != "":
		return 2
	case e.Status != 0: // 304: the page was in the browser's cache
		return 1
	}
	return 0
}

// answer gives the entry as fetch would have.
func answer(e *Entry, at string, passed []string, p fetch.Policy) (*fetch.Response, error) {
	limit := cmp.Or(p.MaxBytes, 16<<20)
	host := hostOf(at)
	fail := func(kind fetch.Failure, format string, args ...any) (*fetch.Response, error) {
		return nil, &fetch.Error{Failure: kind, Status: e.Status, Message: fmt.Sprintf(format, args...), Tries: 1}
	}
	switch {
	case e.Failed != "" || e.Failure != "":
		return fail(cmp.Or(e.Failure, fetch.FailConnect), "%s", cmp.Or(e.Failed, "the request failed: "+string(e.Failure)))
	case e.Status == 0:
		return fail(fetch.FailConnect, "%s gave no answer when it was recorded", host)
	case e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable:
		return fail(fetch.FailTooMany, "%s answered %d %s", host, e.Status, http.StatusText(e.Status))
	case e.Status >= 500:
		return fail(fetch.FailServer, "%s answered %d %s", host, e.Status, http.StatusText(e.Status))
	case e.Status == http.StatusNotModified:
		return fail(fetch.FailProtocol, "%s was recorded as 304 Not Modified, without its page: record again with the browser's cache disabled", clip(at))
	case int64(len(e.Body)) > limit:
		return fail(fetch.FailTooLarge, "the body from %s is larger than %d bytes", host, limit)
	}
	return &fetch.Response{
		URL: at, Status: e.Status, Header: e.Header.Clone(), MediaType: e.MediaType, Body: bytes.Clone(e.Body),
		WireBytes: e.WireBytes, Elapsed: e.Elapsed, Redirects: passed, Tries: 1,
	}, nil
}

func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return clip(raw)
	}
	return u.Host
}

// unknown is the error of a request that was not recorded.
func (r *Replay) unknown(method, at, body string) error {
	what := method + " " + at
	if body != "" {
		what += " with the body " + clip(plainBody(body))
	}
	r.mu.Lock()
	if !slices.Contains(r.missing, what) {
		r.missing = append(r.missing, what)
	}
	r.mu.Unlock()
	message := fmt.Sprintf("%s is not in %s, and a replay makes no requests", what, r.name)
	if near := r.near(method, at); len(near) > 0 {
		message += "; recorded nearby: " + strings.Join(near, ", ")
	}
	return &fetch.Error{Failure: fetch.FailRefused, Message: message, Tries: 1}
}

// near lists up to three recorded requests that are most like the one asked for.
func (r *Replay) near(method, at string) []string {
	const most = 3
	wanted := safeURL(at)
	type candidate struct {
		text  string
		alike int
	}
	var all []candidate
	seen := map[string]bool{}
	for i := range r.entries {
		e := &r.entries[i]
		text := e.Method + " " + clip(e.URL)
		if alike := common(wanted, e.URL); alike > len("https://")+1 && !seen[text] {
			seen[text] = true
			if e.URL == wanted && e.Method == method {
				text += " with another body"
			}
			all = append(all, candidate{text, alike})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return cmp.Compare(b.alike, a.alike) })
	var out []string
	for _, c := range all[:min(most, len(all))] {
		out = append(out, c.text)
	}
	return out
}

// common is the length of what two texts begin with.
func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// Missing lists the requests that were asked for and are not recorded, in order.
func (r *Replay) Missing() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.missing)
}

// Unused lists the recorded URLs that nothing asked for.
func (r *Replay) Unused() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for i := range r.entries {
		if !r.used[i] {
			out = append(out, r.entries[i].URL)
		}
	}
	return out
}
