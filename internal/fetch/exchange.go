package fetch

import (
	"context"
	"io"
	"net/http"
	"time"
)

// exchange sends the hop's request and reads the answer. It gives a page, or for
// a redirect the Location with a Response that has its status alone.
func (c *call) exchange(parent context.Context, at *origin, p pass) (*Response, string, *failure) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	if p.wire != nil || c.hop.url.Scheme == "https" {
		ctx = traced(ctx, p.wire, cancel)
	}
	started := p.at
	o := &c.f.options
	w := newWatch(cancel, started, c.headerTimeout(), o.BodyWindow, c.policy.Timeout)
	defer w.stop()

	host := c.hop.url.Host
	transport := c.f.transport
	if at.http2.broken() {
		transport = c.f.http1
	}
	res, err := transport.RoundTrip(c.request().WithContext(ctx))
	c.latency = time.Since(started)
	if err != nil {
		return nil, "", noAnswer(host, err, context.Cause(ctx))
	}
	defer res.Body.Close()
	if res.StatusCode < http.StatusOK {
		return nil, "", failf(FailProtocol, nil, "%s answered %d, which is no answer to a request for a page", host, res.StatusCode)
	}
	w.body()
	if c.policy.Cookies != nil {
		if cookies := cookiesOf(c.hop.url, res.Header); len(cookies) > 0 {
			c.policy.Cookies.SetCookies(c.hop.url, cookies)
		}
	}
	if location := res.Header.Get("Location"); location != "" && isRedirect(res.StatusCode) && c.policy.MaxRedirects >= 0 {
		c.wasted += drain(res.Body, w)
		return &Response{Status: res.StatusCode}, location, nil
	}
	if refusal(res.StatusCode) {
		c.wasted += drain(res.Body, w)
		return nil, "", badStatus(host, res, time.Now())
	}
	resp := &Response{URL: shown(c.hop.url), Status: res.StatusCode, Header: res.Header}
	if fail := c.read(ctx, res, resp, w); fail != nil {
		fail.Status = res.StatusCode
		return nil, "", fail
	}
	resp.Elapsed = time.Since(started)
	return resp, "", nil
}

// headerTimeout is how long headers are waited for. Who gives the whole exchange
// more time than usual means the server's work before the headers, too.
func (c *call) headerTimeout() time.Duration {
	if c.policy.Timeout > defaultTimeout {
		return max(c.f.options.HeaderTimeout, c.policy.Timeout)
	}
	return c.f.options.HeaderTimeout
}

// drainTime is how long is waited for the rest of a body that nobody needs.
const drainTime = time.Second

// drain reads what is left of a small body, so that the connection can serve the
// next request, and counts it; a long or slow one costs less to drop with its
// connection.
func drain(body io.Reader, w *watch) int64 {
	w.within(drainTime)
	n, _ := io.CopyN(io.Discard, body, 32<<10)
	return n
}

// read fills in the body, decompressed and, for text, as UTF-8.
func (c *call) read(ctx context.Context, res *http.Response, resp *Response, w *watch) *failure {
	host := c.hop.url.Host
	in := wire{from: res.Body, watch: w}
	resp.MediaType = mediaType(res.Header.Get("Content-Type"))
	buf, err := readBody(&in, res, c.policy.MaxBytes, c.cut)
	resp.WireBytes = in.read
	if err != nil {
		c.wasted += in.read
	}
	switch {
	case err == errTooLarge:
		return failf(FailTooLarge, nil, "the body from %s is larger than %d bytes", host, c.policy.MaxBytes)
	case err != nil:
		return brokenBody(host, err, in.err, context.Cause(ctx))
	}
	if resp.refine(buf, res.Header, c.hop.url, c.policy.MaxBytes) != nil {
		return failf(FailTooLarge, nil, "the file from %s is larger than %d bytes when unpacked", host, c.policy.MaxBytes)
	}
	return nil
}

// wire reads the body as it comes, counts it and keeps its error apart from those
// of decoding.
type wire struct {
	from  io.Reader
	watch *watch
	read  int64
	err   error
}

func (r *wire) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	r.read += int64(n)
	r.watch.progress(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
