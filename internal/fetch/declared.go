package fetch

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html/charset"
)

// maxProlog is how much of a page is searched for what it says of itself.
const maxProlog = 16 << 10

// encodingOf finds the encoding of text that is not UTF-8: what the header says,
// else the document, unless the text plainly reads better in another; else the
// one in which it reads best.
func encodingOf(b []byte, mediaType, contentType string, hints []string) string {
	var best guessed
	start := b[:min(len(b), maxProlog)]
	labels := []string{parameter(contentType, "charset"), xmlEncoding(start)}
	if !strings.HasSuffix(mediaType, "json") {
		labels = append(labels, metaCharset(start))
	}
	for _, label := range labels {
		_, name := charset.Lookup(label)
		switch name {
		case "", "utf-8", "replacement", "x-user-defined", "utf-16le", "utf-16be":
			continue // which it is not, or which no page means
		}
		if name == "gb18030" {
			name = "gbk"
		}
		says, known := judgeEncoding(b, name, hints)
		if !known || says.score >= credible {
			return name
		}
		if best.name == "" {
			best = guess(b, hints)
		}
		if says.score > 0 && !best.sure(says.score) {
			return name
		}
	}
	if best.name == "" {
		best = guess(b, hints)
	}
	return best.name
}

// parameter gives a parameter of a header's value. It reads the broken ones, too:
// servers repeat the charset or leave out the semicolon before it.
func parameter(value, name string) string {
	for len(value) >= len(name) && !strings.EqualFold(value[:len(name)], name) {
		value = value[1:]
	}
	if len(value) < len(name) {
		return ""
	}
	value = strings.TrimLeft(value[len(name):], " ")
	value, ok := strings.CutPrefix(value, "=")
	if !ok {
		return ""
	}
	return unquoted(value)
}

// unquoted gives the first word of a value that may stand in quotes.
func unquoted(value string) string {
	value = strings.TrimLeft(value, " \t\r\n")
	if value != "" && (value[0] == '"' || value[0] == '\'') {
		value, _, _ = strings.Cut(value[1:], value[:1])
		return strings.TrimSpace(value)
	}
	if end := strings.IndexAny(value, " \t\r\n;,>\"'/"); end >= 0 {
		value = value[:end]
	}
	return value
}

// xmlEncoding reads the encoding of an XML declaration.
func xmlEncoding(b []byte) string {
	b = bytes.TrimLeft(b, " \t\r\n")
	if !bytes.HasPrefix(b, []byte("<?xml")) {
		return ""
	}
	b, _, _ = bytes.Cut(b, []byte("?>"))
	return parameter(string(b), "encoding")
}

// metaCharset reads the charset of a meta element, in either of its forms.
func metaCharset(b []byte) string {
	for tag := range tags(b, "meta") {
		if label := parameter(tag, "charset"); label != "" {
			return label
		}
	}
	return ""
}

// tags gives the inside of the tags of a name, those in comments left out.
func tags(b []byte, name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for {
			i := bytes.IndexByte(b, '<')
			if i < 0 {
				return
			}
			b = b[i+1:]
			if bytes.HasPrefix(b, []byte("!--")) {
				_, b, _ = bytes.Cut(b, []byte("-->"))
				continue
			}
			if len(b) <= len(name) || !strings.EqualFold(string(b[:len(name)]), name) || !strings.ContainsRune(" \t\r\n/", rune(b[len(name)])) {
				continue
			}
			tag, rest, ok := bytes.Cut(b[len(name):], []byte(">"))
			if !ok || !yield(string(tag)) {
				return
			}
			b = rest
		}
	}
}

// languages gives what a page says of its language.
func languages(b []byte) []string {
	for tag := range tags(b[:min(len(b), maxProlog)], "html") {
		if l := language(parameter(tag, "lang")); l != "" {
			return []string{l}
		}
		return nil
	}
	return nil
}

// language reduces a language tag (RFC 5646) to what tells encodings apart.
func language(tag string) string {
	tag = strings.ToLower(strings.ReplaceAll(tag, "_", "-"))
	main, _, _ := strings.Cut(tag, "-")
	if main == "zh" && (strings.Contains(tag, "tw") || strings.Contains(tag, "hk") || strings.Contains(tag, "mo") || strings.Contains(tag, "hant")) {
		return "zh-tw"
	}
	return main
}

// ofCountry gives the language in which the pages of a top-level domain mostly
// are, where the domain's name is not that language's.
var ofCountry = map[string]string{
	"jp": "ja", "cn": "zh", "tw": "zh-tw", "hk": "zh-tw", "mo": "zh-tw", "kr": "ko", "ua": "uk", "by": "ru", "kz": "ru", "su": "ru", "rs": "sr",
	"gr": "el", "cy": "el", "cz": "cs", "si": "sl", "ba": "bs", "il": "he", "vn": "vi", "at": "de", "ch": "de", "br": "pt", "mx": "es", "ar": "es",
	"dk": "da", "se": "sv", "ee": "et", "eg": "ar", "sa": "ar", "ae": "ar", "iq": "ar", "jo": "ar", "sy": "ar", "ma": "ar", "dz": "ar", "ir": "fa", "pk": "ur",
}

// hintsOf gives the languages in which an answer is likely, the surest first.
func hintsOf(h http.Header, u *url.URL) []string {
	var hints []string
	for tag := range strings.SplitSeq(h.Get("Content-Language"), ",") {
		if l := language(strings.TrimSpace(tag)); l != "" {
			hints = append(hints, l)
		}
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if country := host[strings.LastIndexByte(host, '.')+1:]; len(country) == 2 {
		if l, ok := ofCountry[country]; ok {
			country = l
		}
		hints = append(hints, country)
	}
	return slices.Compact(hints)
}
