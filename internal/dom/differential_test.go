package dom

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// compare reports how the tree of a page differs from x/net's; nil if it does
// not, or if x/net has none. The texts of x/net that lie beside each other may
// be taken for one.
func compare(d *Document, page string, joined bool) (err error) {
	if err := d.Parse([]byte(page), Options{}); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	want, err := theirs(forTheirs(page))
	if err != nil || d.Truncated != "" {
		return nil // beyond the depth that one of them reads
	}
	d.decodeComments()
	if joined {
		d.joinTexts()
		want.joinTexts()
	}
	ours, other := d.Dump(Root), want.Dump(Root)
	if ours == other {
		return nil
	}
	a, b := strings.Split(ours, "\n"), strings.Split(other, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			lo := max(0, i-6)
			return fmt.Errorf("line %d:\nours\n%s\ntheirs\n%s", i, strings.Join(a[lo:min(len(a), i+6)], "\n"), strings.Join(b[min(lo, len(b)):min(len(b), i+6)], "\n"))
		}
	}
	return fmt.Errorf("theirs is longer")
}

// decodeComments decodes the character references in comments, as x/net does
// and the standard does not (§ 13.2.5.45).
func (d *Document) decodeComments() {
	for n := Root; n < NodeID(d.Len()); n++ {
		if d.Type(n) == CommentNode && strings.Contains(d.Data(n), "&") {
			d.nodes[n].data = d.keep(html.UnescapeString(d.Data(n)))
		}
	}
}

// joinTexts makes texts that lie beside each other one.
func (d *Document) joinTexts() {
	for n := Root; n < NodeID(d.Len()); n++ {
		for next := d.nodes[n].next; next != None && d.nodes[n].typ == TextNode && d.nodes[next].typ == TextNode; next = d.nodes[n].next {
			d.nodes[n].data = d.keep(d.Data(n) + d.Data(next))
			d.nodes[n].next = d.nodes[next].next
			d.nodes[next].typ = 0 // Dump leaves it out
		}
	}
}

var htmlDoctype = regexp.MustCompile(`(?i)^\s*<!doctype\s+html`)

// forTheirs is a page without what x/net does not repair itself: bytes that
// are no UTF-8, and the name of the DOCTYPE in upper case, by which it takes
// the page for an old one (§ 13.2.5.54 makes it lower case first).
func forTheirs(page string) string {
	b, _ := repair([]byte(page), nil)
	return htmlDoctype.ReplaceAllString(string(b), "<!DOCTYPE html")
}

var moreDir = flag.String("pages", "", "a directory whose .html files TestPages compares too, such as /usr/share/doc")

// recorded are the pages in the recordings that the crawlers are tested with,
// and one of x/net's.
func recorded(t testing.TB) (pages []string) {
	files, _ := filepath.Glob("../../crawlers/testdata/*.har")
	for _, file := range files {
		var har struct {
			Log struct {
				Entries []struct {
					Response struct {
						Content struct{ Text, Encoding string }
					}
				}
			}
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &har); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, e := range har.Log.Entries {
			content := e.Response.Content
			if content.Encoding == "" && strings.Contains(content.Text, "<") {
				pages = append(pages, content.Text)
			}
		}
	}
	if len(pages) < 10 {
		t.Fatalf("only %d pages in the recordings of ../../crawlers/testdata", len(pages))
	}
	b, err := os.ReadFile(filepath.Join(suite(t), "go1.html"))
	if err != nil {
		t.Fatal(err)
	}
	return append(pages, string(b))
}

// TestPages compares pages, and mutations of them: pages with a stretch
// doubled, left out or moved, which no tag survives whole.
func TestPages(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var d Document
	one := func(name, page string) {
		if err := unexplained(&d, page); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := unexplained(&d, mutate(random, page)); err != nil {
			t.Errorf("%s, mutated: %v", name, err)
		}
	}
	for i, page := range recorded(t) {
		for range 1 + 200_000/(len(page)+1) {
			one(fmt.Sprintf("page %d", i), page)
		}
	}
	if *moreDir == "" {
		return
	}
	err := filepath.WalkDir(*moreDir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".html") || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		one(path, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mutate(random *rand.Rand, page string) string {
	for range 1 + random.IntN(12) {
		if page == "" {
			break
		}
		i := random.IntN(len(page))
		j := min(i+random.IntN(40), len(page))
		k := random.IntN(len(page))
		switch random.IntN(3) {
		case 0:
			page = page[:i] + page[j:]
		case 1:
			page = page[:k] + page[i:j] + page[k:]
		default:
			page = page[:k] + pieces[random.IntN(len(pieces))] + page[k:]
		}
	}
	return page
}
