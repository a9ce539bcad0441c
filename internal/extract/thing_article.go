package extract

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"shoal/internal/dom/address"
	"shoal/internal/dom/atom"
	"shoal/internal/value"
)

// article is a page's article, or what of its fields the page says though it
// is none.
type article struct {
	URL         string   `json:"url"` // the canonical one, when it is of the same host
	Title       string   `json:"title,omitempty"`
	Authors     []string `json:"authors,omitempty"`
	Published   string   `json:"published,omitempty"` // RFC 3339, or a day
	Modified    string   `json:"modified,omitempty"`
	Description string   `json:"description,omitempty"`
	Language    string   `json:"language,omitempty"`
	Section     string   `json:"section,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	Image       string   `json:"image,omitempty"`
	Publisher   string   `json:"publisher,omitempty"`
	Text        string   `json:"text,omitempty"`     // a line for each block
	Markdown    string   `json:"markdown,omitempty"` // only on request
	Words       int      `json:"words"`
	Type        string   `json:"type,omitempty"` // the schema.org type that the page claims
	Why         string   `json:"why,omitempty"`  // what made it an article: data, meta or text
}

var articleTypes = []string{"Article", "NewsArticle", "BlogPosting", "TechArticle", "ScholarlyArticle", "Report", "AnalysisNewsArticle", "OpinionNewsArticle",
	"ReportageNewsArticle", "BackgroundNewsArticle", "ReviewNewsArticle", "SatiricalArticle", "LiveBlogPosting", "SocialMediaPosting", "AdvertiserContentArticle", "MedicalScholarlyArticle", "Recipe", "HowTo"}

// listTypes are what pages say they are that only list articles.
var listTypes = []string{"CollectionPage", "ItemList", "SearchResultsPage", "ContactPage", "AboutPage", "CheckoutPage", "ProfilePage"}

const (
	claimedWords = 20  // of an article that the page says it is
	plainWords   = 120 // of one that only its text makes one
)

// readArticle reads the page's article: its main text without menus, teasers,
// comments and banners, and who wrote it when, from structured data, Open
// Graph, meta tags and the mark-up, in this order. A page that only lists
// articles, or has little text, gives none. The options: all "true" takes
// every page with a main text; min_words; markdown "true" adds it as Markdown.
func readArticle(p *thingPage) [][]byte {
	m := p.metadata()
	content := p.readable()
	a := article{
		URL: p.ownURL(), Title: m.title(), Authors: m.authors(), Published: m.date("published"), Modified: m.date("modified"), Description: m.description(),
		Language: m.language(), Section: m.section(), Tags: m.tags(), Image: m.image(), Publisher: m.publisher(),
	}
	if content.Exists() {
		a.Text = withoutTitle(string(appendText(nil, content, true)), a.Title)
		a.Words = countWords(a.Text)
	}
	if a.Why = m.why(a.Words, content); a.Why == "" && p.options["all"] != "true" {
		return nil
	}
	if least, ok := value.Int(p.options["min_words"]); ok && int64(a.Words) < least || a.Words == 0 {
		return nil
	}
	if m.item != nil {
		a.Type = m.item.types()[0]
	}
	if p.options["markdown"] == "true" {
		a.Markdown, _ = markdown(content, p.res) // without it the text is still there
	}
	return appendThing(nil, a)
}

// ownURL is the address by which the page wants to be known: its canonical one,
// if that is of the same host and not the front page, as careless sites say of
// all their pages.
func (p *thingPage) ownURL() string {
	n := p.first(func(n node) bool { return n.Atom() == atom.Link && oneOf(n, "rel", "canonical") })
	if n.Exists() {
		href, _ := attr(n, "href")
		if c, ok := address.Canonical(p.link(href)); ok && bare(hostOf(c)) == bare(hostOf(p.url)) && !isRoot(c) {
			return c
		}
	}
	return p.url
}

// withoutTitle drops a first line that only repeats the title.
func withoutTitle(text, title string) string {
	first, rest, _ := strings.Cut(text, "\n")
	if title != "" && strings.EqualFold(strings.TrimSpace(first), title) {
		return rest
	}
	return text
}

// countWords counts words; of scripts without spaces, two characters are one.
func countWords(s string) int {
	n, in, dense := 0, false, 0
	for _, c := range s {
		switch {
		case unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
			dense++
			in = false
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			if !in {
				n++
			}
			in = true
		case c != '\'' && c != '’' && c != '-':
			in = false
		}
	}
	return n + (dense+1)/2
}

// metadata is what a page says of itself, gathered once.
type metadata struct {
	*thingPage
	item  object              // the article among the structured items; nil: none
	types []string            // of all structured items
	metas map[string][]string // by name, property or itemprop in lower case
	h1    node
	head  string // the title element
	lang  string
}

func (p *thingPage) metadata() *metadata {
	m := &metadata{thingPage: p, metas: map[string][]string{}}
	p.all(func(n node) bool {
		switch n.Atom() {
		case atom.Meta:
			content, _ := attr(n, "content")
			if content = strings.Join(strings.Fields(content), " "); content == "" {
				break
			}
			for _, by := range []string{"property", "name", "itemprop", "http-equiv"} {
				if v, ok := attr(n, by); ok && len(m.metas) < 1000 {
					v = strings.ToLower(strings.TrimSpace(v))
					m.metas[v] = append(m.metas[v], content)
				}
			}
		case atom.Title:
			if m.head == "" {
				m.head = line(n)
			}
		case atom.Html:
			m.lang, _ = attr(n, "lang")
		case atom.H1:
			if !m.h1.Exists() && line(n) != "" {
				m.h1 = n
			}
		}
		return true
	})
	for _, o := range p.structured() {
		m.types = append(m.types, o.types()...)
		if m.item == nil && o.is(articleTypes...) && o.text("headline", "name", "datePublished", "articleBody") != "" && m.ours(o) {
			m.item = o
		}
	}
	return m
}

// ours reports whether an item is about this page and not about one it links to.
func (m *metadata) ours(o object) bool {
	for _, name := range []string{"url", "mainEntityOfPage"} {
		if list := addressesOf(o[name]); len(list) > 0 && strings.HasPrefix(m.link(list[0]), "http") {
			return m.same(list[0]) || m.same2(m.link(list[0])) || hostOf(m.link(list[0])) != hostOf(m.url)
		}
	}
	return true
}

func (m *metadata) meta(names ...string) string {
	for _, name := range names {
		if list := m.metas[name]; len(list) > 0 {
			return list[0]
		}
	}
	return ""
}

func (m *metadata) title() string {
	h1 := heading(m.h1)
	for _, t := range []string{m.item.text("headline", "name"), m.meta("og:title", "twitter:title", "dc.title", "dcterms.title", "citation_title", "parsely-title")} {
		// The heading is what a reader sees; tags often have the site's name in it.
		if t != "" {
			if h1 != "" && strings.Contains(strings.ToLower(t), strings.ToLower(h1)) {
				return h1
			}
			return t
		}
	}
	if h1 != "" {
		return h1
	}
	return m.head
}

func (m *metadata) description() string {
	return firstText(m.meta("description", "og:description", "twitter:description", "dc.description"), m.item.text("description", "abstract"))
}

// authors are the people who wrote the article.
func (m *metadata) authors() []string {
	var list []string
	add := func(names ...string) {
		for _, n := range names {
			if n = cleanAuthor(n); n != "" && !slices.Contains(list, n) && len(list) < 20 {
				list = append(list, n)
			}
		}
	}
	add(textsOf(m.item["author"])...)
	if len(list) == 0 {
		add(textsOf(m.item["creator"])...)
	}
	for _, name := range []string{"author", "citation_author", "article:author", "dc.creator", "dcterms.creator", "parsely-author", "sailthru.author", "byl", "twitter:creator"} {
		if len(list) == 0 {
			for _, v := range m.metas[name] {
				if !isAddress(v) && !strings.HasPrefix(v, "@") {
					add(splitAuthors(v)...)
				}
			}
		}
	}
	if len(list) == 0 {
		m.near(func(n node) bool { return oneOf(n, "rel", "author") || oneOf(n, "itemprop", "author") }, func(n node) { add(splitAuthors(line(n))...) })
	}
	if len(list) == 0 {
		m.near(func(n node) bool {
			return hasWord(n, "author", "byline", "by-author", "author-name", "byline-name", "article-author", "post-author", "entry-author")
		}, func(n node) {
			if t := line(n); len(t) < 120 && len(list) == 0 {
				add(splitAuthors(t)...)
			}
		})
	}
	return list
}

// near visits the elements that fit, are short and belong to the article at
// hand: those outside of teasers, comments, asides and footers.
func (m *metadata) near(fits func(node) bool, visit func(node)) {
	m.all(func(n node) bool {
		if fits(n) && shorter(n, 500) && !m.aside(n) {
			visit(n)
		}
		return true
	})
}

// aside reports whether an element stands in what is beside an article.
func (m *metadata) aside(n node) bool {
	for p := n; p.Exists(); p = p.Parent() {
		switch p.Atom() {
		case atom.Aside, atom.Nav, atom.Footer:
			if p.Atom() != atom.Footer || !inside(p, atom.Article) {
				return true
			}
		}
		if hasWord(p, "comment", "comments", "comment-list", "related", "sidebar", "teaser", "recommended", "widget") {
			return true
		}
	}
	return false
}

func inside(n node, a atom.Atom) bool {
	for p := n.Parent(); p.Exists(); p = p.Parent() {
		if p.Atom() == a {
			return true
		}
	}
	return false
}

// hasWord reports whether one of the words is a class of the element or its id.
func hasWord(n node, words ...string) bool {
	return oneOf(n, "class", words...) || oneOf(n, "id", words...)
}

var (
	bySayer    = regexp.MustCompile(`(?i)^\s*(?:(?:written|posted|published|reported|words)\s+by|by|von|par|por|di|door|af|av|autor(?:in)?|auteur|author)\b\s*:?\s*`)
	authorEnds = regexp.MustCompile(`\s*(?:,\s*(?:published|updated|posted|on)\b.*|\s[|•·–—]\s.*|\s+on\s+\w+\s+\d.*)$`)
	authorSeps = regexp.MustCompile(`\s*(?:,\s+(?:and|und|et|y|e)\s+|\s+(?:and|und|et|&)\s+|;\s*)\s*`)
)

func cleanAuthor(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	s = strings.Trim(authorEnds.ReplaceAllString(bySayer.ReplaceAllString(s, ""), ""), " ,;|")
	if len(s) < 2 || len(s) > 100 || isAddress(s) || strings.EqualFold(s, "admin") {
		return ""
	}
	return s
}

// splitAuthors takes a byline apart: "By Ann Lee and Bo Yi".
func splitAuthors(s string) []string {
	s = authorEnds.ReplaceAllString(bySayer.ReplaceAllString(s, ""), "")
	return authorSeps.Split(s, 20)
}

// dateNames are the names under which structured data and meta tags have dates.
var dateNames = map[string]struct{ item, metas []string }{
	"published": {[]string{"datePublished", "dateCreated", "uploadDate"}, []string{"article:published_time", "article:published", "og:published_time", "datepublished", "date", "pubdate", "publishdate", "publish-date", "publish_date",
		"publication_date", "dc.date", "dc.date.issued", "dcterms.date", "dcterms.created", "dcterms.issued", "citation_publication_date", "citation_date", "parsely-pub-date", "sailthru.date", "article.published", "created", "cxenseparse:recs:publishtime", "datecreated"}},
	"modified": {[]string{"dateModified"}, []string{"article:modified_time", "og:updated_time", "datemodified", "last-modified", "lastmod", "dcterms.modified", "revised"}},
}

// date is when the article was published or modified, as RFC 3339, or as a day
// when the page says no more; "": it does not say.
func (m *metadata) date(which string) string {
	names := dateNames[which]
	candidates := []string{m.item.text(names.item...)}
	for _, name := range names.metas {
		candidates = append(candidates, m.meta(name))
	}
	if which == "published" {
		m.near(func(n node) bool { return n.Atom() == atom.Time || oneOf(n, "itemprop", "datePublished") }, func(n node) {
			if !hasWord(n, "updated", "modified") || hasWord(n, "published") {
				v, ok := attr(n, "datetime")
				if !ok {
					v = line(n)
				}
				candidates = append(candidates, v)
			}
		})
		m.near(func(n node) bool {
			return hasWord(n, "date", "pubdate", "published", "post-date", "entry-date", "article-date", "timestamp", "publish-date", "meta-date", "dateline", "posted-on")
		}, func(n node) {
			if t := line(n); len(t) < 80 {
				candidates = append(candidates, t)
			}
		})
		candidates = append(candidates, dayOf(m.url))
	}
	for _, s := range candidates {
		if s == "" {
			continue
		}
		if t, day, ok := value.Date(s, value.DateOptions{Language: m.language()}); ok && t.Year() > 1500 {
			if day {
				return t.Format(time.DateOnly)
			}
			return t.UTC().Format(time.RFC3339)
		}
	}
	return ""
}

var urlDay = regexp.MustCompile(`/((?:19|20)\d\d)[/-](0[1-9]|1[0-2])[/-](0[1-9]|[12]\d|3[01])(?:/|-|$)`)

// dayOf is the day that stands in an address, as /2024/05/28/.
func dayOf(address string) string {
	if m := urlDay.FindStringSubmatch(address); m != nil {
		return m[1] + "-" + m[2] + "-" + m[3]
	}
	return ""
}

// language is a BCP 47 tag.
func (m *metadata) language() string {
	s := firstText(m.lang, m.item.text("inLanguage"), m.meta("og:locale", "content-language", "dc.language", "language"))
	s, _, _ = strings.Cut(s, ",")
	return strings.ReplaceAll(strings.TrimSpace(s), "_", "-")
}

func (m *metadata) section() string {
	return firstText(m.item.text("articleSection"), m.meta("article:section", "section", "parsely-section", "cxenseparse:category"), m.breadcrumb(m.title()))
}

func (m *metadata) tags() []string {
	var list []string
	add := func(texts ...string) {
		for _, t := range texts {
			for one := range strings.SplitSeq(t, ",") {
				if one = strings.TrimSpace(one); one != "" && !slices.Contains(list, one) && len(list) < 100 {
					list = append(list, one)
				}
			}
		}
	}
	add(textsOf(m.item["keywords"])...)
	add(m.metas["article:tag"]...)
	if len(list) == 0 {
		m.near(func(n node) bool {
			return n.Atom() == atom.A && oneOf(n, "rel", "tag") && !oneOf(n, "rel", "category")
		}, func(n node) { add(line(n)) })
	}
	if len(list) == 0 {
		add(m.meta("news_keywords", "keywords"))
	}
	return list
}

func (m *metadata) image() string {
	refs := addressesOf(m.item["image"])
	if len(refs) == 0 {
		refs = addressesOf(m.item["thumbnailUrl"])
	}
	refs = append(refs, m.meta("og:image", "og:image:url", "og:image:secure_url", "twitter:image", "twitter:image:src", "thumbnail", "parsely-image-url"))
	for _, ref := range refs {
		if abs := m.link(ref); abs != "" {
			return abs
		}
	}
	found := ""
	m.near(func(n node) bool {
		return n.Atom() == atom.Img && (inside(n, atom.Article) || inside(n, atom.Main) || inside(n, atom.Figure))
	}, func(n node) {
		if found == "" {
			for _, name := range []string{"data-src", "data-original", "src"} {
				if ref, ok := attr(n, name); ok && found == "" {
					found = m.link(ref)
				}
			}
		}
	})
	return found
}

func (m *metadata) publisher() string {
	return firstText(m.item.text("publisher"), m.meta("og:site_name", "application-name", "dc.publisher", "citation_journal_title"))
}

// why says what makes the page an article: structured data or a tag that says
// so, or a main text that is long and no list of links; "": it is none.
func (m *metadata) why(words int, content node) string {
	root := isRoot(m.url)
	switch {
	case m.item != nil && words >= claimedWords:
		return "data"
	case strings.EqualFold(m.meta("og:type"), "article") && !root && words >= claimedWords && !isListing(content):
		return "meta"
	case root || words < plainWords || m.claimsList() || isListing(content):
		return ""
	}
	return "text"
}

func (m *metadata) claimsList() bool {
	if strings.EqualFold(m.meta("og:type"), "product") {
		return true
	}
	return slices.ContainsFunc(m.types, func(t string) bool {
		return slices.Contains(listTypes, t) && t != "ItemList" || slices.Contains(productTypes, t)
	})
}

// isRoot reports whether an address is a site's front page.
func isRoot(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.RawQuery == "" && (u.Path == "/" || u.Path == "" || u.Path == "/index.html" || u.Path == "/index.php")
}

// isListing reports a main text that is a list of teasers: most of its headings
// are links, or most of its text is.
func isListing(content node) bool {
	if !content.Exists() {
		return true
	}
	headings, linked, all, inLinks := 0, 0, 0, 0
	for n := next(content, content, true); n.Exists(); n = next(n, content, true) {
		switch n.Atom() {
		case atom.H1, atom.H2, atom.H3, atom.H4:
			if t := line(n); t != "" {
				headings++
				if linkText(n) >= len(t) {
					linked++
				}
			}
		}
	}
	all = len(line(content))
	inLinks = linkText(content)
	return linked >= 3 && linked*2 > headings || inLinks*2 > all
}

// linkText is the length of the text in links below n that lead somewhere else.
func linkText(n node) int {
	total := 0
	for m := next(n, n, true); m.Exists(); {
		if href, ok := attr(m, "href"); m.Atom() == atom.A && ok && !strings.HasPrefix(href, "#") {
			total += len(line(m))
			m = next(m, n, false)
			continue
		}
		m = next(m, n, true)
	}
	return total
}
