package fetch

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"unicode/utf8"
)

// Decode reads a body that was kept elsewhere as Do reads one off the wire: it
// undoes the compressions that the header names, unless they are undone already,
// unpacks gzip files of text, and gives text as UTF-8. It returns the body, in
// memory of its own, and its media type. A body longer than limit bytes is an error.
func Decode(rawURL string, h http.Header, body []byte, limit int64) ([]byte, string, error) {
	resp := &Response{MediaType: mediaType(h.Get("Content-Type"))}
	buf, err := unpacked(h, body, limit, isText(resp.MediaType) && utf8.Valid(body))
	if err == nil {
		u, perr := url.Parse(rawURL)
		if perr != nil {
			u = &url.URL{}
		}
		err = resp.refine(buf, h, u, limit)
	}
	if err != nil {
		return nil, "", fmt.Errorf("decode the body of %s: %w", rawURL, err)
	}
	out := bytes.Clone(resp.Body)
	resp.Release()
	return out, resp.MediaType, nil
}

// refine puts a body in whose compressions are undone: files of text unpacked,
// the type found, text as UTF-8. The buffer is used up, also by an error, which
// is errTooLarge.
func (r *Response) refine(buf *buffer, h http.Header, u *url.URL, limit int64) error {
	buf, err := unzipFile(buf, r, u.Path, limit)
	if err != nil {
		return err
	}
	if r.MediaType == "" {
		r.MediaType = sniff(buf.bytes())
	}
	r.buf = toUTF8(buf, r.MediaType, h.Get("Content-Type"), func() []string { return hintsOf(h, u) })
	r.Body = r.buf.bytes()
	return nil
}

// unpacked undoes the header's encodings; what they do not fit is plain.
func unpacked(h http.Header, body []byte, limit int64, plain bool) (*buffer, error) {
	if encodings := encodingsOf(h); !plain && len(encodings) > 0 && len(encodings) <= maxEncodings {
		buf, err := undo(encodings, body, limit)
		if err == nil || err == errTooLarge {
			return buf, err
		}
	}
	buf := newBuffer(len(body) + 1)
	return buf, buf.fill(bytes.NewReader(body), limit, 0)
}

func undo(encodings []string, body []byte, limit int64) (*buffer, error) {
	var r io.Reader = bytes.NewReader(body)
	for _, encoding := range encodings {
		d, done, err := decoder(encoding, bufio.NewReader(r))
		if err != nil {
			return nil, err
		}
		defer done()
		r = d
	}
	buf := newBuffer(4 * len(body))
	if err := buf.fill(r, limit, 0); err != nil {
		buf.release()
		return nil, err
	}
	return buf, nil
}
