package extract

import (
	"bytes"
	"encoding/json"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// A thing is what a person sees on a page though no selector finds it on every
// site: its article, its tables, the contacts, products and links that it
// shows, the records of an API's answer. A definition names one as the data of
// its rows; the fields then read JSON objects, whose members each reader's
// struct describes.

// thingPage is what a reader of things gets: a page, and its settings.
type thingPage struct {
	root    *node // nil: the answer is no HTML
	body    []byte
	res     *resolver // what the page's references are relative to
	url     string    // canonical
	options map[string]string
}

// maxThings is how many things of one sort a page may give.
const maxThings = 50_000

// things are the readers of what Shoal finds on pages of any site, by the
// names of crawler.Things. Each returns JSON objects; none changes the tree or
// keeps it.
var things = map[string]func(thingPage) [][]byte{
	"tables":  onTree(readTables),
	"links":   onTree(readLinks),
	"records": func(p thingPage) [][]byte { return readRecords(&p) },
	"feed":    func(p thingPage) [][]byte { return readFeed(&p) },
}

// onTree is a reader that has nothing to say of an answer that is no HTML.
func onTree(read func(*thingPage) [][]byte) func(thingPage) [][]byte {
	return func(p thingPage) [][]byte {
		if p.root == nil {
			return nil
		}
		return read(&p)
	}
}

// appendThing encodes a value, which holds nothing that JSON cannot.
func appendThing(list [][]byte, v any) [][]byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return list
	}
	return append(list, bytes.TrimRight(b.Bytes(), "\n"))
}

// all calls visit for every element of the page in document order, templates
// left out, until it returns false.
func (p *thingPage) all(visit func(n *node) bool) {
	for n := next(p.root, p.root, true); n != nil; n = next(n, p.root, n.DataAtom != atom.Template) {
		if n.Type == html.ElementNode && !visit(n) {
			return
		}
	}
}

// first returns the first element that fits, or nil.
func (p *thingPage) first(fits func(n *node) bool) (found *node) {
	p.all(func(n *node) bool {
		if fits(n) {
			found = n
		}
		return found == nil
	})
	return found
}

// link returns a reference of the page as an absolute URL; "": it is none.
func (p *thingPage) link(ref string) string {
	if ref = trim(ref); ref == "" || ignored(ref) || p.res == nil {
		return ""
	}
	bare, fragment := splitFragment(ref)
	abs, ok := p.res.resolve(bare)
	if !ok || !strings.HasPrefix(abs, "http") {
		return ""
	}
	if len(fragment) > 1 {
		abs += fragment
	}
	return abs
}

// same reports whether a reference is the page itself.
func (p *thingPage) same(ref string) bool {
	c, ok := Canonical(p.link(ref))
	return ok && strings.TrimSuffix(c, "/") == strings.TrimSuffix(p.url, "/")
}

// line is the element's text on one line.
func line(n *node) string {
	if n == nil {
		return ""
	}
	return string(appendText(nil, n, false))
}

// oneOf reports whether the attribute's value, a list of words, has one of the words.
func oneOf(n *node, name string, words ...string) bool {
	v, ok := attr(n, name)
	if !ok {
		return false
	}
	for word := range strings.FieldsSeq(v) {
		for _, w := range words {
			if strings.EqualFold(word, w) {
				return true
			}
		}
	}
	return false
}

// isAddress reports whether a text is a web address.
func isAddress(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// firstText is the first of the texts that is not empty.
func firstText(list ...string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
