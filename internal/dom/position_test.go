package dom

import (
	"testing"

	"shoal/internal/dom/atom"
)

func TestPosition(t *testing.T) {
	d, err := Parse([]byte("<!doctype html>\r\n<p>é <b>x</b>\r\n\xff<table>\r<tr><td>1</table>"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[atom.Atom][2]int{atom.P: {2, 1}, atom.B: {2, 6}, atom.Table: {3, 2}, atom.Tbody: {4, 1}, atom.Tr: {4, 1}, atom.Td: {4, 5}}
	for n := Root; n < NodeID(d.Len()); n++ {
		if place, asked := want[d.Name(n)]; asked {
			if line, column := d.Position(n); place != [2]int{line, column} {
				t.Errorf("<%s> is at %d:%d, want %d:%d", d.NameOf(d.Name(n)), line, column, place[0], place[1])
			}
			delete(want, d.Name(n))
		}
	}
	if len(want) > 0 {
		t.Errorf("not in the tree: %v", want)
	}
}
