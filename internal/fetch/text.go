package fetch

import (
	"bytes"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

// mediaType is the type of a Content-Type without its parameters, "" when there
// is none worth the name.
func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	t = strings.ToLower(strings.TrimSpace(t))
	if top, sub, ok := strings.Cut(t, "/"); !ok || top == "" || sub == "" || strings.ContainsAny(t, " ,") {
		return ""
	}
	return t
}

// sniff guesses the type of a body that came with none.
func sniff(body []byte) string {
	start := bytes.TrimLeft(body, "\xef\xbb\xbf \t\r\n")
	if len(start) > 1 && (start[0] == '{' || start[0] == '[') && strings.IndexByte("\"{}[]-0123456789tfn \r\n\t", start[1]) >= 0 && utf8.Valid(body) {
		return "application/json"
	}
	t := mediaType(http.DetectContentType(body))
	if t == "text/xml" && bytes.Contains(start[:min(len(start), 512)], []byte("<html")) {
		return "application/xhtml+xml"
	}
	return t
}

// isText reports whether a media type is text that has a charset.
func isText(mediaType string) bool {
	if strings.HasPrefix(mediaType, "text/") || strings.HasSuffix(mediaType, "+xml") || strings.HasSuffix(mediaType, "+json") {
		return true
	}
	switch mediaType {
	case "application/json", "application/xml", "application/javascript", "application/x-javascript", "application/ecmascript",
		"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-yaml", "application/yaml", "application/graphql":
		return true
	}
	return false
}

// toUTF8 gives text as UTF-8, in the same buffer or another one. What is valid
// UTF-8 stays untouched whatever its label says: legacy text is almost never
// valid UTF-8 by chance.
func toUTF8(buf *buffer, mediaType, contentType string) *buffer {
	b := buf.bytes()
	if len(b) == 0 || !isText(mediaType) {
		return buf
	}
	if e, bom := byOrderMark(b); bom > 0 {
		b = b[:copy(b, b[bom:])]
		buf.b = b
		if e != nil {
			return decode(buf, e)
		}
	}
	if utf8.Valid(b) && !hidden(b) {
		return buf
	}
	e, name := declared(b, mediaType, contentType)
	good, bad := countUTF8(b)
	if (e == nil || name == "utf-8") && bad > good {
		// What calls itself UTF-8 and hardly is: the web's old default, unmarked.
		e, name = charset.Lookup("windows-1252")
	}
	if e == nil || name == "utf-8" || name == "windows-1252" && good > 10*bad {
		// All but a few bytes are UTF-8: read as a legacy encoding every accent
		// of it would be garbled.
		return repair(buf)
	}
	return decode(buf, e)
}

// hidden reports bytes that are valid UTF-8 and yet a sign of an encoding that is
// not: the escapes of ISO-2022-JP and the zeros of UTF-16 without a mark.
func hidden(b []byte) bool {
	return bytes.IndexByte(b, 0x1b) >= 0 || bytes.IndexByte(b, 0) >= 0
}

// byOrderMark knows the encoding by its mark; nil with a length is UTF-8.
func byOrderMark(b []byte) (encoding.Encoding, int) {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return nil, 3
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		e, _ := charset.Lookup("utf-16le")
		return e, 2
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		e, _ := charset.Lookup("utf-16be")
		return e, 2
	}
	return nil, 0
}

// declared finds the encoding that the header names, else the document itself,
// else the one that the web falls back to. It gives nil for UTF-8.
func declared(b []byte, mediaType, contentType string) (encoding.Encoding, string) {
	if _, params, err := mime.ParseMediaType(contentType); err == nil {
		if e, name := charset.Lookup(params["charset"]); e != nil {
			return e, name
		}
	}
	if strings.HasSuffix(mediaType, "json") || strings.HasSuffix(mediaType, "jsonl") {
		return nil, "utf-8" // RFC 8259, section 8.1
	}
	start := b[:min(len(b), 1024)]
	if label := xmlEncoding(start); label != "" {
		if e, name := charset.Lookup(label); e != nil {
			return e, name
		}
	}
	// Only what the document says: its guess from the first bytes alone would
	// take a page for UTF-8 that is not.
	e, name, _ := charset.DetermineEncoding(start, "text/html")
	if name == "utf-8" && !bytes.Contains(bytes.ToLower(start), []byte("charset")) {
		e, name = charset.Lookup("windows-1252")
	}
	if utf8.Valid(b) && name == "windows-1252" {
		return nil, "utf-8" // a zero or an escape in plain UTF-8
	}
	return e, name
}

// xmlEncoding reads the encoding of an XML declaration.
func xmlEncoding(b []byte) string {
	b = bytes.TrimLeft(b, " \t\r\n")
	if !bytes.HasPrefix(b, []byte("<?xml")) {
		return ""
	}
	b, _, _ = bytes.Cut(b, []byte("?>"))
	_, b, _ = bytes.Cut(b, []byte("encoding"))
	b = bytes.TrimLeft(b, " \t\r\n=")
	if len(b) < 2 || b[0] != '"' && b[0] != '\'' {
		return ""
	}
	label, _, _ := bytes.Cut(b[1:], b[:1])
	return string(label)
}

// countUTF8 counts the characters beyond ASCII, and the bytes that are none.
func countUTF8(b []byte) (good, bad int) {
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		} else {
			good++
		}
		i += n
	}
	return good, bad
}

// repair puts the replacement character for what is not UTF-8.
func repair(buf *buffer) *buffer {
	b := buf.bytes()
	if utf8.Valid(b) {
		return buf
	}
	out := newBuffer(len(b) + len(b)/8 + 64)
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		out.b = utf8.AppendRune(out.b, r)
		b = b[n:]
	}
	buf.release()
	return out
}

// decode turns a legacy encoding into UTF-8. Bytes that mean nothing in it become
// replacement characters.
func decode(buf *buffer, e encoding.Encoding) *buffer {
	from := buf.bytes()
	out := newBuffer(len(from) + len(from)/4 + 64)
	d := e.NewDecoder()
	for {
		written, read, err := d.Transform(out.b[len(out.b):cap(out.b)], from, true)
		out.b = out.b[:len(out.b)+written]
		from = from[read:]
		if err == transform.ErrShortDst {
			out.grow()
			continue
		}
		break // decoders replace what they cannot read: there is no other error
	}
	buf.release()
	return out
}
