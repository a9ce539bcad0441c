package extract

import (
	"bytes"
	"encoding/xml"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"shoal/internal/dom"
)

// feedEntry is an entry of a feed, whatever dialect it is written in.
type feedEntry struct {
	ID         string     `json:"id,omitempty"`
	URL        string     `json:"url,omitempty"`
	Title      string     `json:"title,omitempty"`
	Authors    []string   `json:"authors,omitempty"`
	Published  string     `json:"published,omitempty"` // as written
	Updated    string     `json:"updated,omitempty"`
	Summary    string     `json:"summary,omitempty"` // plain text
	Content    string     `json:"content,omitempty"` // HTML
	Categories []string   `json:"categories,omitempty"`
	Enclosure  *enclosure `json:"enclosure,omitempty"` // a sound, a film, a file
	Image      string     `json:"image,omitempty"`
	Comments   string     `json:"comments,omitempty"` // address of the discussion
	Duration   string     `json:"duration,omitempty"` // of a podcast's episode
	Feed       feedHead   `json:"feed"`
}

type enclosure struct {
	URL   string `json:"url"`
	Type  string `json:"type,omitempty"`
	Bytes int64  `json:"bytes,omitempty"`
}

// feedHead is what a feed says of itself.
type feedHead struct {
	Title    string   `json:"title,omitempty"`
	Language string   `json:"language,omitempty"`
	Dialect  string   `json:"dialect"` // rss, rdf, atom or json
	authors  []string // of entries that name none
}

const (
	maxFeedText  = 4 << 20 // bytes of one element's text
	maxFeedDepth = 200
)

// readFeed reads the entries of a feed: RSS 0.9 to 2.0 with the usual
// extensions, RSS 1.0 (RDF), Atom (RFC 4287) and JSON Feed 1.1
// (https://jsonfeed.org). What is no feed has no entries; of one that breaks
// off, those before the break.
func readFeed(p *thingPage) [][]byte {
	start := bytes.TrimLeft(p.body, "\ufeff \t\r\n")
	if len(start) > 0 && start[0] == '{' {
		return p.jsonFeed()
	}
	f := &feedReader{thingPage: p, d: xml.NewDecoder(bytes.NewReader(start))}
	f.d.Strict, f.d.Entity, f.d.AutoClose = false, xml.HTMLEntity, nil
	f.d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // the fetcher decoded it
	f.read()
	return f.out
}

// feedReader reads an XML feed as a stream.
type feedReader struct {
	*thingPage
	d     *xml.Decoder
	head  feedHead
	entry *feedEntry // the open one
	depth int
	out   [][]byte
}

// The namespaces of feeds' extensions, as they are recognized: by a part of their address.
func spaceOf(n xml.Name) string {
	s := strings.ToLower(n.Space)
	switch {
	case s == "" || strings.Contains(s, "purl.org/rss/1.0/") && !strings.Contains(s, "modules") || strings.Contains(s, "netscape") || strings.Contains(s, "userland") || strings.Contains(s, "backend.userland"):
		return ""
	case strings.Contains(s, "2005/atom") || strings.Contains(s, "purl.org/atom") || s == "atom":
		return "atom"
	case strings.Contains(s, "purl.org/dc/") || s == "dc":
		return "dc"
	case strings.Contains(s, "modules/content") || s == "content":
		return "content"
	case strings.Contains(s, "mrss") || s == "media":
		return "media"
	case strings.Contains(s, "itunes"):
		return "itunes"
	case strings.Contains(s, "rdf-syntax"):
		return "rdf"
	}
	return "other"
}

func (f *feedReader) read() {
	for len(f.out) < maxThings {
		tok, err := f.d.Token()
		if err != nil {
			break
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if f.depth++; f.depth > maxFeedDepth {
				return
			}
			f.open(t)
		case xml.EndElement:
			f.depth--
			if name := t.Name.Local; (name == "item" || name == "entry") && f.entry != nil {
				f.close()
			}
		}
	}
}

// open reads an element; those that hold a text are read to their end.
func (f *feedReader) open(t xml.StartElement) {
	space, name := spaceOf(t.Name), t.Name.Local
	switch {
	case f.depth == 1:
		f.head.Dialect = map[string]string{"rss": "rss", "RDF": "rdf", "feed": "atom"}[name]
		if f.head.Dialect == "" {
			f.depth = maxFeedDepth // no feed
			return
		}
		if l := attrOf(t, "lang"); l != "" {
			f.head.Language = l
		}
	case name == "item" || name == "entry":
		f.entry = &feedEntry{}
		if about := attrOf(t, "about"); about != "" {
			f.entry.ID = about
		}
	case f.entry == nil:
		f.headline(t, space, name)
	default:
		f.member(t, space, name)
	}
}

// headline reads what stands in the feed outside of its entries.
func (f *feedReader) headline(t xml.StartElement, space, name string) {
	switch {
	case name == "image" || name == "textInput" || name == "items": // their titles are not the feed's
		f.skip()
	case name == "title" && (space == "" || space == "atom") && f.head.Title == "":
		f.head.Title = plainText(f.text(t), attrOf(t, "type"))
	case name == "language" && f.head.Language == "":
		f.head.Language = f.text(t)
	case name == "author" && space == "atom":
		f.head.authors = append(f.head.authors, f.person()...)
	}
}

// member reads an element of the open entry.
func (f *feedReader) member(t xml.StartElement, space, name string) {
	e := f.entry
	put := func(field *string, s string) {
		if *field == "" {
			*field = strings.TrimSpace(s)
		}
	}
	if f.head.Dialect == "atom" && space == "" {
		space = "atom"
	}
	switch space + ":" + name {
	case ":title", "atom:title":
		put(&e.Title, plainText(f.text(t), attrOf(t, "type")))
	case "dc:title":
		put(&e.Title, f.text(t))
	case ":link":
		put(&e.URL, f.link(f.text(t)))
	case "atom:link":
		f.atomLink(t)
	case ":guid", "atom:id":
		id := strings.TrimSpace(f.text(t))
		put(&e.ID, id)
		if name == "guid" && e.URL == "" && !strings.EqualFold(attrOf(t, "isPermaLink"), "false") && isAddress(id) {
			e.URL = id
		}
	case ":pubDate", "atom:published", "dc:date", "atom:issued", "atom:created":
		put(&e.Published, withZone(f.text(t)))
	case "atom:updated", "atom:modified":
		put(&e.Updated, withZone(f.text(t)))
	case ":description", "atom:summary":
		f.summary(f.text(t), name == "description")
	case "content:encoded", "atom:content":
		text := f.text(t)
		if kind := attrOf(t, "type"); space == "atom" && (kind == "" || kind == "text") {
			text = escapeText(text)
		}
		e.Content = strings.TrimSpace(text)
	case ":author", "dc:creator":
		f.authors(f.text(t))
	case "atom:author":
		e.Authors = append(e.Authors, f.person()...)
	case ":category", "dc:subject":
		f.category(f.text(t))
	case "atom:category":
		f.category(firstText(attrOf(t, "label"), attrOf(t, "term")))
	case ":enclosure":
		f.enclose(attrOf(t, "url"), attrOf(t, "type"), attrOf(t, "length"))
	case "media:content":
		if kind := attrOf(t, "medium") + attrOf(t, "type"); strings.HasPrefix(kind, "image") {
			put(&e.Image, f.link(attrOf(t, "url")))
		} else if e.Enclosure == nil {
			f.enclose(attrOf(t, "url"), attrOf(t, "type"), attrOf(t, "fileSize"))
		}
	case "media:thumbnail":
		put(&e.Image, f.link(attrOf(t, "url")))
	case "itunes:image":
		put(&e.Image, f.link(attrOf(t, "href")))
	case "itunes:duration":
		put(&e.Duration, f.text(t))
	case ":comments":
		put(&e.Comments, f.link(f.text(t)))
	}
}

// northAmerican are the zones that RFC 822, section 5.1, names, and that feeds
// still write.
var northAmerican = map[string]string{"EST": "-0500", "EDT": "-0400", "CST": "-0600", "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700"}

// withZone writes a date's zone as its offset where it is one of those names.
func withZone(date string) string {
	date = strings.TrimSpace(date)
	if i := strings.LastIndexByte(date, ' '); i > 0 {
		if offset := northAmerican[date[i+1:]]; offset != "" {
			return date[:i+1] + offset
		}
	}
	return date
}

func attrOf(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// text reads to the end of the element that was opened; of children their
// markup, so that XHTML content stays what it is.
func (f *feedReader) text(t xml.StartElement) string {
	var b strings.Builder
	for open := 1; open > 0; {
		tok, err := f.d.Token()
		if err != nil {
			break
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if open++; f.depth+open > maxFeedDepth {
				f.depth = maxFeedDepth
				return b.String()
			}
			b.WriteString("<" + tok.Name.Local)
			for _, a := range tok.Attr {
				if a.Name.Space != "xmlns" && a.Name.Local != "xmlns" {
					b.WriteString(" " + a.Name.Local + `="` + escapeText(a.Value) + `"`)
				}
			}
			b.WriteString(">")
		case xml.EndElement:
			if open--; open > 0 {
				b.WriteString("</" + tok.Name.Local + ">")
			}
		case xml.CharData:
			switch {
			case b.Len() > maxFeedText:
			case open > 1:
				b.WriteString(escapeText(string(tok)))
			default:
				b.Write(tok)
			}
		}
	}
	f.depth--
	return b.String()
}

func (f *feedReader) skip() {
	if f.d.Skip() == nil {
		f.depth--
	}
}

var textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func escapeText(s string) string { return textEscaper.Replace(s) }

// person reads the names of an Atom person construct.
func (f *feedReader) person() []string {
	var names []string
	for open := 1; open > 0; {
		tok, err := f.d.Token()
		if err != nil {
			break
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if tok.Name.Local == "name" {
				f.depth++
				if n := strings.TrimSpace(f.text(tok)); n != "" {
					names = append(names, n)
				}
				continue
			}
			open++
		case xml.EndElement:
			open--
		}
	}
	f.depth--
	return names
}

// atomLink reads a link element: the entry's page, its enclosure, its replies.
func (f *feedReader) atomLink(t xml.StartElement) {
	href, e := f.link(attrOf(t, "href")), f.entry
	switch attrOf(t, "rel") {
	case "", "alternate":
		if e.URL == "" || strings.Contains(attrOf(t, "type"), "html") {
			e.URL = href
		}
	case "enclosure":
		f.enclose(attrOf(t, "href"), attrOf(t, "type"), attrOf(t, "length"))
	case "replies":
		if e.Comments == "" {
			e.Comments = href
		}
	}
}

func (f *feedReader) enclose(ref, kind, length string) {
	if abs := f.link(ref); abs != "" && f.entry.Enclosure == nil {
		f.entry.Enclosure = &enclosure{URL: abs, Type: kind}
		if n, err := strconv.ParseInt(strings.TrimSpace(length), 10, 64); err == nil && n > 0 {
			f.entry.Enclosure.Bytes = n
		}
	}
}

// summary keeps the plain text; an RSS description with markup is, where there is
// no other content, the content.
func (f *feedReader) summary(text string, description bool) {
	if description && f.entry.Content == "" && strings.Contains(text, "<") {
		f.entry.Content = strings.TrimSpace(text)
	}
	if f.entry.Summary == "" {
		f.entry.Summary = plainText(text, "html")
	}
}

// authors reads RSS's "address (name)" and lists of names.
func (f *feedReader) authors(text string) {
	if _, name, ok := strings.Cut(text, "("); ok && strings.Contains(text, "@") {
		text = strings.TrimSuffix(strings.TrimSpace(name), ")")
	}
	if text = strings.Join(strings.Fields(text), " "); text != "" && !slices.Contains(f.entry.Authors, text) {
		f.entry.Authors = append(f.entry.Authors, text)
	}
}

func (f *feedReader) category(text string) {
	if text = strings.Join(strings.Fields(text), " "); text != "" && !slices.Contains(f.entry.Categories, text) {
		f.entry.Categories = append(f.entry.Categories, text)
	}
}

// close adds the entry.
func (f *feedReader) close() {
	e := f.entry
	f.entry = nil
	e.Feed = f.head
	if len(e.Authors) == 0 {
		e.Authors = f.head.authors
	}
	if e.Published == "" {
		e.Published = e.Updated
	}
	if e.URL == "" && e.Enclosure != nil {
		e.URL = e.Enclosure.URL
	}
	if e.URL != "" || e.Title != "" || e.ID != "" {
		f.out = appendThing(f.out, e)
	}
}

// pieces are documents for pieces of HTML, of which a feed has many.
var pieces = sync.Pool{New: func() any { return new(dom.Document) }}

// plainText is the text of a piece of HTML on one line; kind is Atom's type of
// the text, "" being plain in Atom and, in practice, HTML in RSS.
func plainText(s, kind string) string {
	if strings.ContainsAny(s, "<&") && kind != "text" {
		doc := pieces.Get().(*dom.Document)
		s = line(parseHTML(doc, []byte("<body>"+s)))
		if doc.Len() <= maxKeptNodes {
			doc.Reset()
			pieces.Put(doc)
		}
	}
	return strings.Join(strings.Fields(s), " ")
}

// jsonFeed reads a JSON Feed.
func (p *thingPage) jsonFeed() [][]byte {
	root := gjson.ParseBytes(p.body)
	if !gjson.ValidBytes(p.body) || !root.Get("items").IsArray() || !strings.Contains(root.Get("version").String(), "jsonfeed.org") {
		return nil
	}
	head := feedHead{Title: root.Get("title").String(), Language: root.Get("language").String(), Dialect: "json"}
	names := func(v gjson.Result) (list []string) {
		for _, a := range append(v.Get("authors").Array(), v.Get("author")) {
			if n := a.Get("name").String(); n != "" {
				list = append(list, n)
			}
		}
		return list
	}
	head.authors = names(root)
	var out [][]byte
	for _, item := range root.Get("items").Array() {
		if len(out) >= maxThings {
			break
		}
		e := feedEntry{
			ID: item.Get("id").String(), URL: p.link(firstText(item.Get("url").String(), item.Get("external_url").String())), Title: item.Get("title").String(), Authors: names(item),
			Published: item.Get("date_published").String(), Updated: item.Get("date_modified").String(), Content: item.Get("content_html").String(),
			Summary: item.Get("summary").String(), Image: p.link(firstText(item.Get("image").String(), item.Get("banner_image").String())), Feed: head,
		}
		if text := item.Get("content_text").String(); e.Content == "" && text != "" {
			e.Content = escapeText(text)
		}
		if e.Summary == "" {
			e.Summary = plainText(e.Content, "html")
		}
		if len(e.Authors) == 0 {
			e.Authors = head.authors
		}
		for _, t := range item.Get("tags").Array() {
			e.Categories = append(e.Categories, t.String())
		}
		if a := item.Get("attachments.0"); a.Exists() {
			e.Enclosure = &enclosure{URL: p.link(a.Get("url").String()), Type: a.Get("mime_type").String(), Bytes: a.Get("size_in_bytes").Int()}
			e.Duration = a.Get("duration_in_seconds").String()
		}
		out = appendThing(out, e)
	}
	return out
}
