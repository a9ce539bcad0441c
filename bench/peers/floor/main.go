// Command floor does the job of bench/peers with as little as Go allows:
// net/http, x/net/html and cascadia, sixteen workers and a map of what was
// seen, nothing stored but the output. It is what the others are measured by.
//
//	floor URL OUT [CONCURRENCY]
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/andybalholm/cascadia"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// row is what the job wants of a page; see README.md.
type row struct {
	URL        string   `json:"url"`
	Title      string   `json:"title"`
	H1         []string `json:"h1"`
	Links      []string `json:"links"`
	TextLength int      `json:"text_length"`
}

var (
	titles = cascadia.MustCompile("title")
	bodies = cascadia.MustCompile("body")
	h1s    = cascadia.MustCompile("h1")
	hrefs  = cascadia.MustCompile("a[href]")
)

// crawl is one job under way.
type crawl struct {
	client *http.Client
	prefix string

	mu    sync.Mutex
	more  sync.Cond
	queue []string
	seen  map[string]bool
	open  int // pages queued or being read

	outMu sync.Mutex
	out   *json.Encoder
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: floor URL OUT [CONCURRENCY]")
	}
	workers := 16
	if len(os.Args) > 3 {
		n, err := strconv.Atoi(os.Args[3])
		if err != nil {
			log.Fatalf("the concurrency is a number, not %q", os.Args[3])
		}
		workers = n
	}
	if err := run(os.Args[1], os.Args[2], workers); err != nil {
		log.Fatal(err)
	}
}

func run(start, path string, workers int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(file, 1<<16)
	c := &crawl{
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: workers, DisableCompression: true}},
		prefix: start[:strings.LastIndexByte(start, '/')+1],
		seen:   map[string]bool{},
		out:    json.NewEncoder(buffered),
	}
	c.more.L = &c.mu
	c.out.SetEscapeHTML(false)
	c.add([]string{start})
	var wg sync.WaitGroup
	for range workers {
		wg.Go(c.work)
	}
	wg.Wait()
	if err := buffered.Flush(); err != nil {
		return err
	}
	return file.Close()
}

func (c *crawl) work() {
	for {
		at, ok := c.take()
		if !ok {
			return
		}
		links, err := c.visit(at)
		if err != nil {
			log.Printf("%s: %v", at, err)
		}
		c.add(links)
		c.done()
	}
}

func (c *crawl) take() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) == 0 && c.open > 0 {
		c.more.Wait()
	}
	if len(c.queue) == 0 {
		return "", false
	}
	at := c.queue[0]
	c.queue = c.queue[1:]
	return at, true
}

func (c *crawl) add(links []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, link := range links {
		if strings.HasPrefix(link, c.prefix) && !c.seen[link] {
			c.seen[link] = true
			c.queue = append(c.queue, link)
			c.open++
			c.more.Signal()
		}
	}
}

func (c *crawl) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open--; c.open == 0 {
		c.more.Broadcast()
	}
}

// visit writes the page's row and returns its links; neither if it is no page.
func (c *crawl) visit(at string) ([]string, error) {
	resp, err := c.client.Get(at)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") {
		return nil, nil
	}
	doc, err := html.ParseWithOptions(resp.Body, html.ParseOptionEnableScripting(false))
	if err != nil {
		return nil, err
	}
	r := read(at, resp.Request.URL, doc)
	c.outMu.Lock()
	defer c.outMu.Unlock()
	return r.Links, c.out.Encode(r)
}

// read reads the page that was asked for at at and found, after redirects, at base.
func read(at string, base *url.URL, doc *html.Node) *row {
	r := &row{URL: at, H1: []string{}, Links: []string{}}
	if title := titles.MatchFirst(doc); title != nil {
		r.Title = text(title)
	}
	for _, n := range h1s.MatchAll(doc) {
		r.H1 = append(r.H1, text(n))
	}
	if body := bodies.MatchFirst(doc); body != nil {
		var t counter
		t.add(body)
		r.TextLength = t.n
	}
	seen := map[string]bool{} // references as written, then links
	for _, n := range hrefs.MatchAll(doc) {
		ref, _, _ := strings.Cut(strings.TrimSpace(href(n)), "#")
		if seen[ref] {
			continue
		}
		seen[ref] = true
		u, err := base.Parse(ref)
		if err != nil || u.Scheme == "javascript" || u.Scheme == "data" {
			continue
		}
		if link := u.String(); link == ref || !seen[link] {
			seen[link] = true
			r.Links = append(r.Links, link)
		}
	}
	return r
}

func href(n *html.Node) string {
	for _, a := range n.Attr {
		if a.Key == "href" {
			return a.Val
		}
	}
	return ""
}

// text is an element's text, white space collapsed.
func text(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if !unread(c) {
				walk(c)
			}
		}
	}
	walk(n)
	return strings.Join(strings.Fields(b.String()), " ")
}

// unread are the elements whose text is not for readers.
func unread(n *html.Node) bool {
	return n.Type == html.ElementNode && (n.DataAtom == atom.Script || n.DataAtom == atom.Style || n.DataAtom == atom.Template)
}

// counter counts the characters of a text as its white space collapses.
type counter struct {
	n     int
	space bool // seen since the last character
}

func (t *counter) add(n *html.Node) {
	if n.Type == html.TextNode {
		for _, r := range n.Data {
			switch {
			case unicode.IsSpace(r):
				t.space = t.n > 0
			case t.space:
				t.n, t.space = t.n+2, false
			default:
				t.n++
			}
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if !unread(c) {
			t.add(c)
		}
	}
}
