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
		path := ""
		if u, perr := url.Parse(rawURL); perr == nil {
			path = u.Path
		}
		buf, err = unzipFile(buf, resp, path, limit)
	}
	if err != nil {
		return nil, "", fmt.Errorf("decode the body of %s: %w", rawURL, err)
	}
	if resp.MediaType == "" {
		resp.MediaType = sniff(buf.bytes())
	}
	buf = toUTF8(buf, resp.MediaType, h.Get("Content-Type"))
	out := bytes.Clone(buf.bytes())
	buf.release()
	return out, resp.MediaType, nil
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
	return buf, buf.fill(bytes.NewReader(body), limit)
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
	if err := buf.fill(r, limit); err != nil {
		buf.release()
		return nil, err
	}
	return buf, nil
}
