package api

import (
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"shoal"
)

// sendList answers with one page of a list in the envelope that all lists have.
func sendList[T any](c *call, l shoal.Listing[T], w shoal.Window, item func(b []byte, v *T) []byte) error {
	c.buf = append(c.buf[:0], '{')
	return sendListAfter(c, l, w, item)
}

// sendListAfter is sendList for an envelope of which the first fields are in
// c.buf already, from the opening brace to the comma after them.
func sendListAfter[T any](c *call, l shoal.Listing[T], w shoal.Window, item func(b []byte, v *T) []byte) error {
	b := appendEnvelope(c.buf, l.Total, w, len(l.Items))
	for i := range l.Items {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, &l.Items[i])
	}
	c.buf = c.appendNeighbours(append(b, ']'), l.Total, w)
	return c.send(http.StatusOK, c.buf)
}

// appendEnvelope appends the envelope, from after its opening brace up to the
// list's opening bracket.
func appendEnvelope(b []byte, total int64, w shoal.Window, n int) []byte {
	from, to := int64(0), int64(0)
	if n > 0 {
		from, to = w.Offset()+1, w.Offset()+int64(n)
	}
	b = append(b, `"total_results":`...)
	b = strconv.AppendInt(b, total, 10)
	b = append(b, `,"limit":`...)
	b = strconv.AppendInt(b, int64(w.Limit), 10)
	b = append(b, `,"page":`...)
	b = strconv.AppendInt(b, int64(w.Page), 10)
	b = append(b, `,"total_pages":`...)
	b = strconv.AppendInt(b, pages(total, w.Limit), 10)
	b = append(b, `,"result_from":`...)
	b = strconv.AppendInt(b, from, 10)
	b = append(b, `,"result_to":`...)
	b = strconv.AppendInt(b, to, 10)
	return append(b, `,"data":[`...)
}

// appendNeighbours appends next and previous and closes the envelope.
func (c *call) appendNeighbours(b []byte, total int64, w shoal.Window) []byte {
	last := pages(total, w.Limit)
	b = append(b, `,"next":`...)
	if int64(w.Page) < last {
		b = appendString(b, c.pageURL(w.Page+1))
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"previous":`...)
	if w.Page > 1 && last > 0 {
		b = appendString(b, c.pageURL(int(min(int64(w.Page-1), last))))
	} else {
		b = append(b, "null"...)
	}
	return append(b, '}')
}

func pages(total int64, limit int) int64 {
	return (total + int64(limit) - 1) / int64(limit)
}

// pageURL returns the request's own URL with another page.
func (c *call) pageURL(page int) string {
	q, _ := url.ParseQuery(c.r.URL.RawQuery) // the handler has parsed it
	if q == nil {
		q = url.Values{}
	}
	q.Set("page", strconv.Itoa(page))
	return c.base() + c.r.URL.EscapedPath() + "?" + q.Encode()
}

// base returns what absolute URLs begin with: the configured public URL, else
// the scheme and host that the client asked for.
func (c *call) base() string {
	if c.a.publicURL != "" {
		return c.a.publicURL
	}
	scheme, host := "http", c.r.Host
	if c.r.TLS != nil {
		scheme = "https"
	}
	if c.fromProxy() {
		if v := first(c.r.Header.Get("X-Forwarded-Proto")); v == "http" || v == "https" {
			scheme = v
		}
		if v := first(c.r.Header.Get("X-Forwarded-Host")); v != "" && validHost(v) {
			host = v
		}
	}
	return scheme + "://" + host
}

// fromProxy reports whether the connection is one of a configured proxy.
func (c *call) fromProxy() bool {
	if len(c.a.proxies) == 0 {
		return false
	}
	peer, err := netip.ParseAddrPort(c.r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, p := range c.a.proxies {
		if p.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// first returns the first of several values that proxies have joined by commas.
func first(v string) string {
	v, _, _ = strings.Cut(v, ",")
	return strings.TrimSpace(v)
}

func validHost(h string) bool {
	u, err := url.Parse("http://" + h)
	return err == nil && u.Host == h && u.Path == ""
}
