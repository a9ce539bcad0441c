package dom

import "fmt"

// check holds a document to what document.go promises of its tree.
func (d *Document) check() error {
	if d.Len() < 2 || d.Type(Root) != DocumentNode || d.Parent(Root) != None {
		return fmt.Errorf("no root in %d nodes", d.Len())
	}
	for n := Root; n < NodeID(d.Len()); n++ {
		last := None
		for c := d.FirstChild(n); c != None; c = d.NextSibling(c) {
			if d.Parent(c) != n || d.PrevSibling(c) != last || c <= max(n, last) || int(c) >= d.Len() {
				return fmt.Errorf("node %d is in the wrong place: parent %d, previous %d", c, d.Parent(c), d.PrevSibling(c))
			}
			last = c
		}
		if d.LastChild(n) != last {
			return fmt.Errorf("the last child of %d is %d, not %d", n, last, d.LastChild(n))
		}
		if next := d.following(n); next != n+1 && (next != None || int(n) != d.Len()-1) {
			return fmt.Errorf("node %d follows %d in document order", next, n)
		}
	}
	return nil
}
