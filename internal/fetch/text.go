package fetch

import (
	"bytes"
	"net/http"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
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
		"application/csv", "application/x-json", "application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-yaml", "application/yaml", "application/graphql":
		return true
	}
	return false
}

// toUTF8 gives text as UTF-8, in the same buffer or another one. What is valid
// UTF-8 stays untouched whatever its label says: legacy text is almost never
// valid UTF-8 by chance. likely gives languages that the text is likely in.
func toUTF8(buf *buffer, mediaType, contentType string, likely func() []string) *buffer {
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
	if e := hidden(b); e != nil {
		return decode(buf, e)
	}
	if utf8.Valid(b) {
		return buf
	}
	hints := append(languages(b), likely()...)
	if mostlyUTF8(b) {
		return mend(buf, hints)
	}
	return decode(buf, lookup(encodingOf(b, mediaType, contentType, hints)))
}

// hidden knows the encodings whose text is valid UTF-8 and yet means something
// else: UTF-16 without a mark, by its zeros, and ISO-2022-JP, by its escapes.
func hidden(b []byte) encoding.Encoding {
	start := b[:min(len(b), 4<<10)]
	if bytes.IndexByte(start, 0) >= 0 {
		var zeros [2]int
		for i, c := range start {
			if c == 0 {
				zeros[i&1]++
			}
		}
		pairs := len(start) / 2
		switch {
		case pairs < 8:
		case zeros[1] > pairs/4 && zeros[0] <= pairs/50:
			return lookup("utf-16le")
		case zeros[0] > pairs/4 && zeros[1] <= pairs/50:
			return lookup("utf-16be")
		}
	}
	if i := bytes.IndexByte(b, 0x1b); i >= 0 && len(b) > i+2 && !beyondASCII(b) {
		switch string(b[i+1 : i+3]) {
		case "$B", "$@", "(J", "(I":
			return lookup("iso-2022-jp")
		}
	}
	return nil
}

// byOrderMark knows the encoding by its mark; nil with a length is UTF-8.
func byOrderMark(b []byte) (encoding.Encoding, int) {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return nil, 3
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}):
		return lookup("utf-16le"), 2
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		return lookup("utf-16be"), 2
	}
	return nil, 0
}

// lookup gives the encoding of a name that encodingOf gives.
func lookup(name string) encoding.Encoding {
	if name == "gbk" {
		return simplifiedchinese.GB18030 // which holds all of it
	}
	e, _ := charset.Lookup(name)
	return e
}

// mostlyUTF8 reports whether text that is not quite UTF-8 is more so than not:
// read as a legacy encoding all the rest would be garbled. In legacy text fewer
// than one in four characters look like UTF-8 by chance.
func mostlyUTF8(b []byte) bool {
	good, bad := utf8Count(b)
	return good >= bad && good > 0
}

// utf8Count counts the characters beyond ASCII and the bytes that are none.
func utf8Count(b []byte) (good, bad int) {
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

// mend makes UTF-8 of text that is so but for some of its words: those are taken
// for a legacy encoding, since pages are put together from several sources. In a
// word that has both, what is broken becomes the replacement character.
func mend(buf *buffer, hints []string) *buffer {
	b := buf.bytes()
	var strays []byte
	for rest := b; len(rest) > 0 && len(strays) < maxSample; {
		var word []byte
		if word, rest = nextWord(rest); stray(word) {
			strays = append(append(strays, word...), 0)
		}
	}
	legacy := lookup(guess(strays, hints).name).NewDecoder()
	out := newBuffer(len(b) + len(b)/8 + 64)
	for len(b) > 0 {
		word, rest := nextWord(b)
		end := b[len(word) : len(b)-len(rest)] // the byte between them
		switch {
		case utf8.Valid(word):
			out.b = append(out.b, word...)
		case stray(word):
			text, _ := legacy.Bytes(word)
			out.b = append(out.b, text...)
		default:
			out.b = append(out.b, bytes.ToValidUTF8(word, []byte("\ufffd"))...)
		}
		out.b = append(out.b, end...)
		b = rest
	}
	buf.release()
	return out
}

// stray reports whether a word is in a legacy encoding.
func stray(word []byte) bool {
	good, bad := utf8Count(word)
	return bad > good
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
			out.grow(0)
			continue
		}
		break // decoders replace what they cannot read: there is no other error
	}
	buf.release()
	return out
}
