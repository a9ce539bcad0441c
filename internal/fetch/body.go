package fetch

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxPresize bounds the memory taken on the word of a Content-Length.
	maxPresize = 1 << 20
	// maxEncodings bounds how often a body may be compressed over again.
	maxEncodings = 3
)

// readBody reads and decompresses a body of at most limit bytes. It gives
// errTooLarge for a longer one, or with cut its first limit bytes.
func readBody(in *wire, res *http.Response, limit int64, cut bool) (*buffer, error) {
	encodings := encodingsOf(res.Header)
	if len(encodings) > maxEncodings {
		return nil, errors.New("it is compressed more than three times over")
	}
	if res.ContentLength > limit && len(encodings) == 0 && !cut {
		return nil, errTooLarge
	}
	expect := max(res.ContentLength, 4<<10)
	if len(encodings) > 0 {
		expect *= 4
	}
	// One byte more, so that the read that meets the end has room.
	buf := newBuffer(int(min(expect, limit, maxPresize-1)) + 1)
	var err error
	if len(encodings) == 0 {
		err = buf.fill(in, limit, res.ContentLength)
	} else {
		err = inflate(buf, in, encodings, limit)
	}
	if err == errTooLarge && cut {
		err = nil
	}
	if err != nil {
		buf.release()
		return nil, err
	}
	return buf, nil
}

// encodingsOf lists the compressions to undo, the last applied first. Labels that
// name none (some servers write a charset here) are passed over.
func encodingsOf(h http.Header) []string {
	lines := h["Content-Encoding"]
	if len(lines) == 0 {
		return nil
	}
	var list []string
	for label := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		switch label = strings.ToLower(strings.TrimSpace(label)); label {
		case "gzip", "x-gzip":
			list = append([]string{"gzip"}, list...)
		case "br", "zstd", "deflate":
			list = append([]string{label}, list...)
		}
	}
	return list
}

var (
	readers  = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}
	gunzips  = sync.Pool{New: func() any { return new(gzip.Reader) }}
	brotlis  = sync.Pool{New: func() any { return brotli.NewReader(nil) }}
	deflates = sync.Pool{New: func() any { return flate.NewReader(nil) }}
	zstds    = sync.Pool{New: func() any {
		// 8 MiB is the largest window that HTTP permits (RFC 9659). One at a
		// time means that it starts no goroutines.
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			panic("fetch: zstd options: " + err.Error())
		}
		return d
	}}
)

// inflate undoes the encodings in turn.
func inflate(buf *buffer, in *wire, encodings []string, limit int64) error {
	var r io.Reader = in
	for _, encoding := range encodings {
		b := readers.Get().(*bufio.Reader)
		b.Reset(r)
		defer func() { b.Reset(nil); readers.Put(b) }()
		d, done, err := decoder(encoding, b)
		if err == io.EOF && in.err == nil {
			return nil // nothing at all is an empty body in every encoding
		}
		if err != nil {
			return err
		}
		defer done()
		r = d
	}
	if err := buf.fill(r, limit, 0); err != nil {
		return err
	}
	// Meet the end of the wire, so that the connection can be used again.
	_, err := io.CopyN(io.Discard, in, 4<<10)
	if err == io.EOF {
		err = nil
	}
	return err
}

// decoder gives a reader that undoes one encoding, and what puts it back. Bodies
// whose label is wrong are passed through when their first bytes tell.
func decoder(encoding string, b *bufio.Reader) (io.Reader, func(), error) {
	start, err := b.Peek(4)
	if len(start) == 0 {
		return nil, nil, err
	}
	switch {
	case encoding == "gzip" && bytes.HasPrefix(start, gzipMagic):
		z := gunzips.Get().(*gzip.Reader)
		return &members{z, b}, func() { gunzips.Put(z) }, reset(z, b)
	case encoding == "zstd" && isZstd(start):
		z := zstds.Get().(*zstd.Decoder)
		return z, func() { z.Reset(nil); zstds.Put(z) }, z.Reset(b)
	case encoding == "br":
		z := brotlis.Get().(*brotli.Reader)
		return z, func() { brotlis.Put(z) }, z.Reset(b)
	case encoding == "deflate" && len(start) >= 2 && start[0]&0x0f == 8 && (int(start[0])<<8+int(start[1]))%31 == 0:
		z, err := zlib.NewReader(b)
		return z, func() {}, err
	case encoding == "deflate":
		// Some servers leave out the zlib frame that the name means.
		z := deflates.Get().(io.ReadCloser)
		return z, func() { deflates.Put(z) }, z.(flate.Resetter).Reset(b, nil)
	}
	return b, func() {}, nil
}

// members reads a gzip stream to the end of its last member. What follows is
// ignored, as browsers do.
type members struct {
	z    *gzip.Reader
	from *bufio.Reader
}

func (m *members) Read(p []byte) (int, error) {
	n, err := m.z.Read(p)
	if err != io.EOF {
		return n, err
	}
	if next, _ := m.from.Peek(2); !bytes.Equal(next, gzipMagic) {
		return n, io.EOF
	}
	return n, reset(m.z, m.from)
}

// reset begins one member.
func reset(z *gzip.Reader, from *bufio.Reader) error {
	if err := z.Reset(from); err != nil {
		return err
	}
	z.Multistream(false)
	return nil
}

var gzipMagic = []byte{0x1f, 0x8b}

// isZstd knows frames and skippable frames (RFC 8878, section 3.1).
func isZstd(b []byte) bool {
	return len(b) == 4 && (bytes.Equal(b, []byte{0x28, 0xb5, 0x2f, 0xfd}) || b[0]&0xf0 == 0x50 && bytes.Equal(b[1:], []byte{0x2a, 0x4d, 0x18}))
}

// unzipFile unpacks text that is a gzip file of its own, which is no
// Content-Encoding: by its name (sitemap.xml.gz), or because it is labelled as the
// text within. What does not unpack stays as it is.
func unzipFile(buf *buffer, resp *Response, path string, limit int64) (*buffer, error) {
	if !bytes.HasPrefix(buf.bytes(), gzipMagic) {
		if isGzip(resp.MediaType) && len(buf.bytes()) > 0 {
			resp.MediaType = sniff(buf.bytes()) // the server unpacked it, or the connection did
		}
		return buf, nil
	}
	if !isText(resp.MediaType) && !zippedText(path) {
		return buf, nil
	}
	b := bufio.NewReader(bytes.NewReader(buf.bytes()))
	z := gunzips.Get().(*gzip.Reader)
	defer gunzips.Put(z)
	if reset(z, b) != nil {
		return buf, nil
	}
	out := newBuffer(4 * len(buf.bytes()))
	switch err := out.fill(&members{z, b}, limit, 0); err {
	case nil:
		buf.release()
		if !isText(resp.MediaType) {
			resp.MediaType = sniff(out.bytes())
		}
		return out, nil
	case errTooLarge:
		out.release()
		buf.release()
		return nil, err
	default:
		out.release()
		return buf, nil
	}
}

func isGzip(mediaType string) bool {
	return mediaType == "application/gzip" || mediaType == "application/x-gzip"
}

// zippedText reports whether a file's name says that it is text in gzip.
func zippedText(path string) bool {
	name, ok := strings.CutSuffix(strings.ToLower(path), ".gz")
	if !ok {
		return false
	}
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "xml", "txt", "csv", "tsv", "json", "jsonl", "ndjson", "rss", "atom", "html", "htm":
		return true
	}
	return false
}
