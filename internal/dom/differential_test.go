package dom

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// compare reports how the tree of a page differs from x/net's; nil if it does
// not, or if x/net has none.
func compare(d *Document, page string) (err error) {
	if err := d.Parse([]byte(page), Options{}); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	want, err := theirs(forTheirs(page))
	if err != nil {
		return nil
	}
	d.decodeComments()
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

var htmlDoctype = regexp.MustCompile(`(?i)^\s*<!doctype\s+html`)

// forTheirs is a page without what x/net does not repair itself: bytes that
// are no UTF-8, and the name of the DOCTYPE in upper case, by which it takes
// the page for an old one (§ 13.2.5.54 makes it lower case first).
func forTheirs(page string) string {
	b, _ := repair([]byte(page), nil)
	return htmlDoctype.ReplaceAllString(string(b), "<!DOCTYPE html")
}

func TestCorpora(t *testing.T) {
	var d Document
	n := 0
	for _, dir := range []string{"/usr/share/doc/postgresql-doc-15/html", "/usr/share/doc/python3.11/html", "/usr/share/doc/openjdk-17-doc/api", "/usr/share/doc"} {
		filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".html") {
				b, err := os.ReadFile(path)
				if err == nil && len(b) < 1<<20 {
					n++
					if err := compare(&d, string(b)); err != nil {
						t.Errorf("%s: %v", path, err)
					}
				}
			}
			return nil
		})
	}
	t.Log(n)
}
